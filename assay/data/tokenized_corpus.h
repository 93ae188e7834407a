// A corpus as a model reads it: its examples as tokens, what its documents are and where they stand, and what all of it
// was made of. It comes from text, which is streamed past the tokenizer, or from token shards, which are mapped; either
// way the examples, their ids and the counts are the same, and no text is held. Memory from text: 2 or 4 bytes a token
// and about 80 a document; from shards: about 10 bytes an example, the rest is mapped.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "assay/core/progress.h"
#include "assay/data/block_encoder.h"
#include "assay/data/corpus_manifest.h"
#include "assay/data/document_table.h"
#include "assay/data/encode.h"
#include "assay/data/example_texts.h"

namespace assay::data {

struct TokenizedCorpus {
  EncodedCorpus encoded;
  DocumentTable documents;
  CorpusManifest manifest;
  bool has_files = true;  ///< whether the texts can be read again; if not, tokens must tell them

  /// What an example's own tokens say: all of a document that was cut or split, or whose file is gone, has to show.
  std::string text_of_tokens(const Tokenizer& tokenizer, int64_t row) const;
};

/// Reads and tokenises what `path` names: files (corpus_reader.h), or a folder of token shards (token_shards.h), which
/// must be made with the same tokenizer and rules. Errors as CorpusReader, BlockEncoder and TokenShards.
TokenizedCorpus tokenize_corpus(const std::string& path, const CorpusOptions& reading, const Tokenizer& tokenizer,
                                const EncodeOptions& encoding, Progress& progress = silent_progress());

/// Examples and documents of blocks, at most `limit` documents (0: all), under the rule that they were made by. The
/// manifest is the caller's.
TokenizedCorpus corpus_of_blocks(std::vector<std::shared_ptr<const TokenBlock>> blocks, int64_t limit,
                                 const ExampleRule& rule, CorpusFiles files, const CorpusOptions& reading,
                                 std::vector<std::string> groups);

/// The corpus with its examples `rows` (ascending) alone; documents keep their numbers. Nothing is copied but what is
/// said of each example.
TokenizedCorpus with_examples(const TokenizedCorpus& corpus, std::span<const int64_t> rows);

/// The manifest of what a reader has read.
CorpusManifest manifest_of(const CorpusReader& reader, const Tokenizer& tokenizer, const ExampleRule& rule);

/// Texts of the examples: of whole documents from their files, of parts from their tokens. Both arguments must outlive
/// them.
std::shared_ptr<const ExampleTexts> texts_of(const TokenizedCorpus& corpus, const Tokenizer& tokenizer);

}  // namespace assay::data
