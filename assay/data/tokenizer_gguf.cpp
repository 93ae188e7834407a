// Reads the tokenizer in the metadata of a GGUF file: byte-level BPE, whose pre-tokenizer is given by a name, or
// SentencePiece BPE, whose merges are given by the tokens' scores. The ids are those of the model's own tokenizer.json:
// NFC, which no key speaks of, is applied where the tokenizers of that name apply it.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "assay/core/error.h"
#include "assay/data/subword_model.h"
#include "assay/data/tokenizer_files.h"
#include "assay/data/unicode_classes.h"
#include "assay/io/gguf.h"
#include "assay/io/utf8.h"

namespace assay::data {
namespace {

constexpr const char* kAnother = "take a model with another tokenizer";

/// llama.cpp's names of pre-tokenizers, as far as Assay knows them.
struct NamedSplit {
  std::string name;
  std::vector<SplitRule> rules;
  bool normalizes_to_nfc = false;
  bool ignores_merges = false;
  bool adds_bos = false;  // where the file does not say
};

/// What llama.cpp does where it does not know the pre-tokenizer.
std::vector<SplitRule> unnamed_split() {
  return {{R"([\p{P}\$\+<=>\^~\|]+)"},
          {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S))"},
          split::runs_of_digits(),
          {"[0-9][0-9][0-9]"}};
}

const std::vector<NamedSplit>& named_splits() {
  const std::vector<SplitRule> gpt2{split::gpt2()}, digits_first{split::each_digit(), split::gpt2()};
  static const std::vector<NamedSplit> splits{
      {.name = "gpt-2", .rules = gpt2},
      {.name = "phi-2", .rules = gpt2},
      {.name = "olmo", .rules = gpt2, .normalizes_to_nfc = true},  // NeoX's, of Pythia and OLMo
      {.name = "mpt", .rules = gpt2, .normalizes_to_nfc = true},   // NeoX's, of MPT
      {.name = "smollm", .rules = digits_first},
      {.name = "starcoder", .rules = digits_first},
      {.name = "refact", .rules = digits_first},
      {.name = "qwen2", .rules = {split::qwen2()}, .normalizes_to_nfc = true},
      {.name = "llama-bpe", .rules = {split::llama3()}, .ignores_merges = true, .adds_bos = true},
      {.name = "llama3", .rules = {split::llama3()}, .ignores_merges = true, .adds_bos = true},
      {.name = "llama-v3", .rules = {split::llama3()}, .ignores_merges = true, .adds_bos = true},
      {.name = "default", .rules = unnamed_split()},
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
  metadata.refuse(key, fmt::format("a pre-tokenizer that Assay knows ({})", fmt::join(known, ", ")),
                  "take a model with one of these, or this one as a folder with its tokenizer.json");
}

/// The kinds of token that the metadata tell apart.
enum TokenType : int64_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };

constexpr const char* kTypes = "tokenizer.ggml.token_type";

/// By id; all normal where the file does not say.
std::vector<int64_t> token_types(const io::GgufMetadata& metadata, size_t vocabulary_size) {
  if (!metadata.has(kTypes)) return std::vector<int64_t>(vocabulary_size, kNormal);
  std::vector<int64_t> types = metadata.integers(kTypes);
  if (types.size() != vocabulary_size) {
    metadata.refuse(kTypes, fmt::format("a list of {} types, one for each token", vocabulary_size));
  }
  return types;
}

std::vector<AddedToken> added_tokens(const std::vector<int64_t>& types, const std::vector<std::string>& vocabulary) {
  std::vector<AddedToken> added;
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

/// The merges that a SentencePiece vocabulary implies: two tokens side by side become the token that they spell, first
/// that of the highest score. Of the ways to make one token, that of the longest left part comes first, as where a
/// tokenizer.json is made from such a vocabulary.
std::vector<BpeMerge> merges_by_score(const io::GgufMetadata& metadata, const std::vector<std::string>& vocabulary,
                                      const std::vector<int64_t>& types, const std::string& source) {
  constexpr auto kScores = "tokenizer.ggml.scores";
  const std::vector<double> scores = metadata.reals(kScores);
  if (scores.size() != vocabulary.size()) {
    metadata.refuse(kScores, fmt::format("a list of {} scores, one for each token", vocabulary.size()));
  }
  if (!std::all_of(scores.begin(), scores.end(), [](double score) { return std::isfinite(score); })) {
    metadata.refuse(kScores, "a list of finite numbers");
  }
  const auto ids = ids_by_token(vocabulary, source);
  const auto normal_id = [&](std::string_view token) {
    const auto found = ids.find(token);
    return found == ids.end() || types[static_cast<size_t>(found->second)] != kNormal ? kNoToken : found->second;
  };
  struct Scored {
    double score;
    size_t left_characters, right_characters;
    BpeMerge merge;
  };
  std::vector<Scored> scored;
  for (size_t id = 0; id < vocabulary.size(); ++id) {
    const std::string_view token = vocabulary[id];
    if (types[id] != kNormal || token.empty() || io::first_invalid_utf8(token)) continue;
    std::vector<size_t> cuts;
    for (size_t at = utf8_length(token[0]); at < token.size(); at += utf8_length(token[at])) cuts.push_back(at);
    for (size_t i = 0; i < cuts.size(); ++i) {
      const int32_t left = normal_id(token.substr(0, cuts[i])), right = normal_id(token.substr(cuts[i]));
      if (left == kNoToken || right == kNoToken) continue;
      scored.push_back({scores[id], i + 1, cuts.size() - i, {left, right, static_cast<int32_t>(id)}});
    }
  }
  std::stable_sort(scored.begin(), scored.end(), [](const Scored& a, const Scored& b) {
    if (a.score != b.score) return a.score > b.score;
    return a.left_characters != b.left_characters ? a.left_characters > b.left_characters
                                                  : a.right_characters > b.right_characters;
  });
  std::vector<BpeMerge> merges;
  merges.reserve(scored.size());
  for (const Scored& entry : scored) merges.push_back(entry.merge);
  return merges;
}

void read_byte_level(const io::GgufMetadata& metadata, TokenizerDefinition& definition) {
  definition.kind = TokenizerKind::ByteLevelBpe;
  const NamedSplit& split = split_named(metadata, "tokenizer.ggml.pre");
  if (metadata.boolean_or("tokenizer.ggml.add_space_prefix", false)) {
    metadata.refuse("tokenizer.ggml.add_space_prefix", "false for byte-level BPE", kAnother);
  }
  definition.merges = resolve_merges(merges_of(metadata), definition.vocabulary, definition.source);
  definition.split_rules = split.rules;
  definition.normalizes_to_nfc = split.normalizes_to_nfc;
  definition.ignores_merges = split.ignores_merges;
  definition.adds_bos = split.adds_bos;
}

void read_sentencepiece(const io::GgufMetadata& metadata, const std::vector<int64_t>& types,
                        TokenizerDefinition& definition) {
  definition.kind = TokenizerKind::SentencePieceBpe;
  if (metadata.text_or("tokenizer.ggml.pre", "default") != "default") {
    metadata.refuse("tokenizer.ggml.pre", "\"default\" for SentencePiece BPE", kAnother);
  }
  for (const char* key : {"tokenizer.ggml.precompiled_charsmap", "tokenizer.ggml.remove_extra_whitespaces"}) {
    if (metadata.has(key)) metadata.refuse(key, "absent: Assay does not normalise as it asks", kAnother);
  }
  definition.merges = merges_by_score(metadata, definition.vocabulary, types, definition.source);
  const bool adds_space = metadata.boolean_or("tokenizer.ggml.add_space_prefix", true);
  definition.added_space = adds_space ? AddedSpace::EveryStretch : AddedSpace::Never;
  definition.fuses_unknown = true;
  definition.adds_bos = true;
}

}  // namespace

TokenizerDefinition read_tokenizer_gguf(const std::string& path) {
  const io::Gguf file = io::Gguf::open(path, ErrorKind::Model);
  const io::GgufMetadata& metadata = file.metadata();
  const std::string model = metadata.text("tokenizer.ggml.model");
  if (model != "gpt2" && model != "llama") {
    metadata.refuse("tokenizer.ggml.model",
                    "\"gpt2\" (byte-level BPE) or \"llama\" (SentencePiece BPE), the kinds that Assay reads from GGUF "
                    "files",
                    "take a model with one of these");
  }
  if (metadata.boolean_or("tokenizer.ggml.add_eos_token", false)) {
    metadata.refuse("tokenizer.ggml.add_eos_token", "false (texts end without a mark)", kAnother);
  }

  TokenizerDefinition definition;
  definition.source = path;
  definition.vocabulary = metadata.texts("tokenizer.ggml.tokens");
  const size_t size = definition.vocabulary.size();
  const std::vector<int64_t> types = token_types(metadata, size);
  if (model == "gpt2") {
    read_byte_level(metadata, definition);
  } else {
    read_sentencepiece(metadata, types, definition);
  }
  definition.added_tokens = added_tokens(types, definition.vocabulary);
  definition.unknown = token_id(metadata, "tokenizer.ggml.unknown_token_id", size);
  definition.bos = token_id(metadata, "tokenizer.ggml.bos_token_id", size);
  definition.eos = token_id(metadata, "tokenizer.ggml.eos_token_id", size);
  definition.adds_bos = definition.bos && metadata.boolean_or("tokenizer.ggml.add_bos_token", definition.adds_bos);
  if (metadata.has("tokenizer.chat_template")) definition.chat_template = metadata.text("tokenizer.chat_template");
  return definition;
}

}  // namespace assay::data
