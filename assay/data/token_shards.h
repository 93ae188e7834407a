// Token shards: a corpus as tokens on the disk, made once and mapped by every run after. A Store (io/store.h) of kind
// "token-shards", whose blocks hold the arrays of token_block.h, so that numpy reads them too; its manifest says which
// tokenizer, which rule about BOS and context, which files and which documents they were made of. A run that was killed
// goes on behind the last shard that is whole, and ends in the same bytes; files that have changed meanwhile are
// refused by name. Nothing is appended: a corpus that has grown is tokenised again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "assay/core/progress.h"
#include "assay/data/tokenized_corpus.h"
#include "assay/io/json.h"

namespace assay::data {

struct ShardJob {
  std::string folder;  ///< of the shards; made where it is missing
  CorpusFiles files;   ///< of the corpus
  CorpusOptions reading;
  EncodeOptions encoding;
  int64_t shard_tokens = int64_t{1} << 23;  ///< a shard ends where it has so many: 16 or 32 MiB
};

/// What came of it.
struct ShardSummary {
  CorpusManifest manifest;
  int64_t documents = 0, examples = 0, tokens = 0, longest = 0;
  int64_t long_documents = 0, tokens_cut = 0, without_target = 0;
  std::string dataset_hash;  ///< Dataset::content_hash()
  int64_t shards = 0;
  int64_t bytes = 0;               ///< of the shards on the disk
  bool was_finished = false;       ///< by an earlier run: nothing was done
  std::vector<std::string> notes;  ///< "passed over .git (hidden)"
};

/// Tokenises a corpus into shards, or finishes what an earlier run of the same job began; a finished one is looked at
/// and told again. Errors as CorpusReader, BlockEncoder and Store; Error(Data) by name where files have changed since
/// they were read.
ShardSummary write_token_shards(const ShardJob& job, const Tokenizer& tokenizer, Progress& progress);

/// The folder of token shards that a path names: itself, or `shards` in a result of `assay tokenize`; empty where it is
/// something else.
std::string token_shards_at(const std::string& path);

/// Tokens of the longest example that shards were made for. Error(Data) where their manifest is damaged.
int64_t context_of_shards(const std::string& folder);

/// Opens finished shards, verifies every byte and maps them. Error(Data) by name where they are damaged or unfinished,
/// were made with another tokenizer, BOS, context, or rule for long texts than asked for, or their files hold other
/// text now; Error(Usage) for a separator or field that they were not read by. `encoding.context` 0 takes theirs.
TokenizedCorpus read_token_shards(const std::string& folder, const CorpusOptions& reading, const Tokenizer& tokenizer,
                                  const EncodeOptions& encoding, Progress& progress);

}  // namespace assay::data
