// Reads the tokenizer in the metadata of a GGUF file: byte-level BPE whose pre-tokenizer is given by a name.
#include <fmt/format.h>

#include <algorithm>

#include "assay/core/error.h"
#include "assay/core/near_match.h"
#include "assay/data/tokenizer_files.h"
#include "assay/io/gguf.h"

namespace assay::data {
namespace {

/// llama.cpp's names of pre-tokenizers, as far as Assay knows them.
struct NamedSplit {
  std::string name;
  std::vector<SplitRule> rules;
  bool ignores_merges = false;
  bool adds_bos = false;  // where the file does not say
};

const std::vector<NamedSplit>& named_splits() {
  static const std::vector<NamedSplit> splits{
      {.name = "gpt-2", .rules = {split::gpt2()}},
      {.name = "smollm", .rules = {split::each_digit(), split::gpt2()}},
      {.name = "llama-bpe", .rules = {split::llama3()}, .ignores_merges = true, .adds_bos = true},
  };
  return splits;
}

const NamedSplit& split_named(const io::GgufMetadata& metadata, const std::string& key) {
  const std::string name = metadata.text(key);
  std::vector<std::string> known;
  for (const NamedSplit& split : named_splits()) {
    if (split.name == name) return split;
    known.push_back(split.name);
  }
  metadata.refuse(key, "a pre-tokenizer that Assay knows (gpt-2, smollm, llama-bpe)" + closest_clause(name, known));
}

/// The kinds of token that the metadata tell apart.
enum TokenType : int64_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };

std::vector<AddedToken> added_tokens(const io::GgufMetadata& metadata, const std::vector<std::string>& vocabulary) {
  constexpr auto kKey = "tokenizer.ggml.token_type";
  std::vector<AddedToken> added;
  if (!metadata.has(kKey)) return added;
  const std::vector<int64_t> types = metadata.integers(kKey);
  if (types.size() != vocabulary.size()) {
    metadata.refuse(kKey, fmt::format("a list of {} types, one for each token", vocabulary.size()));
  }
  for (size_t id = 0; id < types.size(); ++id) {
    const bool is_added = types[id] == kControl || types[id] == kUserDefined;
    if (is_added && !vocabulary[id].empty()) {
      added.push_back({static_cast<int32_t>(id), vocabulary[id], types[id] == kControl});
    }
  }
  return added;
}

std::optional<int32_t> token_id(const io::GgufMetadata& metadata, const std::string& key, size_t vocabulary_size) {
  if (!metadata.has(key)) return std::nullopt;
  const int64_t id = metadata.integer(key, 0);
  if (id >= static_cast<int64_t>(vocabulary_size)) {
    metadata.refuse(key, fmt::format("below the vocabulary's size, {}", vocabulary_size));
  }
  return static_cast<int32_t>(id);
}

std::vector<std::pair<std::string, std::string>> merges_of(const io::GgufMetadata& metadata) {
  std::vector<std::pair<std::string, std::string>> merges;
  for (const std::string& merge : metadata.texts("tokenizer.ggml.merges")) {
    const size_t space = merge.find(' ');
    if (space == std::string::npos || merge.find(' ', space + 1) != std::string::npos) {
      metadata.refuse("tokenizer.ggml.merges",
                      fmt::format("pairs of tokens with one space between (merge {} is \"{}\")", merges.size(), merge));
    }
    merges.emplace_back(merge.substr(0, space), merge.substr(space + 1));
  }
  return merges;
}

}  // namespace

TokenizerDefinition read_tokenizer_gguf(const std::string& path) {
  const io::Gguf file = io::Gguf::open(path, ErrorKind::Model);
  const io::GgufMetadata& metadata = file.metadata();
  if (metadata.text("tokenizer.ggml.model") != "gpt2") {
    metadata.refuse("tokenizer.ggml.model", "\"gpt2\" (byte-level BPE), the one kind that Assay reads from GGUF files");
  }
  const NamedSplit& split = split_named(metadata, "tokenizer.ggml.pre");
  if (metadata.boolean_or("tokenizer.ggml.add_eos_token", false)) {
    metadata.refuse("tokenizer.ggml.add_eos_token", "false (texts end without a mark)");
  }
  if (metadata.boolean_or("tokenizer.ggml.add_space_prefix", false)) {
    metadata.refuse("tokenizer.ggml.add_space_prefix", "false for byte-level BPE");
  }

  TokenizerDefinition definition;
  definition.kind = TokenizerKind::ByteLevelBpe;
  definition.source = path;
  definition.vocabulary = metadata.texts("tokenizer.ggml.tokens");
  const size_t size = definition.vocabulary.size();
  definition.merges = resolve_merges(merges_of(metadata), definition.vocabulary, path);
  definition.added_tokens = added_tokens(metadata, definition.vocabulary);
  definition.split_rules = split.rules;
  definition.ignores_merges = split.ignores_merges;
  definition.unknown = token_id(metadata, "tokenizer.ggml.unknown_token_id", size);
  definition.bos = token_id(metadata, "tokenizer.ggml.bos_token_id", size);
  definition.eos = token_id(metadata, "tokenizer.ggml.eos_token_id", size);
  definition.adds_bos = definition.bos && metadata.boolean_or("tokenizer.ggml.add_bos_token", split.adds_bos);
  if (metadata.has("tokenizer.chat_template")) definition.chat_template = metadata.text("tokenizer.chat_template");
  return definition;
}

}  // namespace assay::data
