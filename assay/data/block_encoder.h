// From a reader of documents to blocks of tokens: texts are tokenised a megabyte at a time on all threads and
// forgotten. Exact: the examples are those of encode(read_corpus(…)), with the same ids. Memory: a megabyte of text (or
// the longest document) with its tokens, one block, and 18 to 36 bytes an example to count occurrences by.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "assay/core/progress.h"
#include "assay/data/corpus_reader.h"
#include "assay/data/encode.h"
#include "assay/data/token_block.h"

namespace assay::data {

class BlockEncoder {
 public:
  /// A block ends where it has `block_tokens` or more. The reader and the tokenizer must outlive the encoder.
  BlockEncoder(CorpusReader& reader, const Tokenizer& tokenizer, const EncodeOptions& options, int64_t block_tokens);

  /// The arrays of the next block (token_block.h); nothing at the end. `progress` hears of the bytes that were read.
  /// Errors as CorpusReader::next, Tokenizer::encode and ExampleRule::cut.
  std::optional<io::Arrays> next(Progress& progress);

  /// A block of an earlier run, before the first one is asked for: its contents count as occurrences.
  void remember(const TokenBlock& block);

  const ExampleRule& rule() const { return rule_; }
  /// Of every document, where the reader reads groups.
  std::vector<std::string> take_groups() { return std::move(groups_); }

 private:
  bool read_batch();
  void add(const DocumentEntry& entry, const std::vector<int32_t>& tokens);

  CorpusReader& reader_;
  const Tokenizer& tokenizer_;
  ExampleRule rule_;
  int64_t block_tokens_;
  TokenBlockBuilder builder_;
  OccurrenceIds example_ids_;
  std::vector<std::string> texts_;      // of the batch
  std::vector<DocumentEntry> entries_;  // of the batch
  std::vector<std::string> groups_;
  std::vector<int32_t> example_;
  int64_t documents_ = 0;
};

}  // namespace assay::data
