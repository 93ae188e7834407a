// What a result was made of: the files and their hashes, how documents and tokens came out of them, and the rules by
// which they did. It stands in result.json under "data" and in the manifest of token shards.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "assay/data/corpus_reader.h"

namespace assay::data {

enum class LongTexts {
  Cut,     ///< keep the first tokens
  Split,   ///< several examples, one after the other, each with its own BOS
  Refuse,  ///< throw Error(Data) naming the first
};

const char* to_string(LongTexts rule) noexcept;

struct CorpusManifest {
  std::string path;              ///< as it was typed
  std::vector<FileFacts> files;  ///< that were opened
  CorpusOptions options;
  int64_t read = 0, dropped = 0;  ///< pieces, and empty ones among them
  bool is_limited = false;        ///< whether a limit left documents unread
  std::string hash;               ///< over the documents' ids in their order

  std::string tokenizer_hash;
  bool adds_bos = false;
  int64_t context = 0;
  LongTexts long_texts = LongTexts::Cut;

  std::string shards;  ///< the folder of token shards that the tokens came from; empty: they were made for this run
};

/// {"path", "files": [{"path", "bytes", "hash", "hashed_bytes"}], "read", "dropped", "limited", "hash",
/// "tokenizer_hash", "bos", "context", "long"}, and "shards" where the tokens came from some.
nlohmann::ordered_json to_json(const CorpusManifest& manifest);

/// Refuses by its name a file that is not what it was when it was read: another size, or another time of writing and
/// other bytes. A file that is gone is none of its business.
void require_unchanged(const FileFacts& facts, const std::string& path);

}  // namespace assay::data
