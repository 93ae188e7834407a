// Reads vocab.json and merges.txt, in which byte-level BPE came before there was a tokenizer.json. They do not say how
// a text is cut: that is known of the class that tokenizer_config.json names. Added tokens are listed in
// added_tokens_decoder of tokenizer_config.json or in added_tokens.json; without either the end-of-text token is one.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "assay/core/error.h"
#include "assay/core/near_match.h"
#include "assay/data/tokenizer_files.h"
#include "assay/data/tokenizer_json_parts.h"

namespace assay::data {
namespace {

namespace fs = std::filesystem;
using io::JsonObject;

constexpr const char* kEndOfText = "<|endoftext|>";

struct TokenizerClass {
  std::string name;
  std::string family;  // in config.json, where no class is named
  std::vector<SplitRule> rules;
  bool normalizes_to_nfc = false;
};

const std::vector<TokenizerClass>& tokenizer_classes() {
  static const std::vector<TokenizerClass> classes{
      {"GPT2Tokenizer", "gpt2", {split::gpt2()}},
      {"GPT2Tokenizer", "gpt_neo", {split::gpt2()}},
      {"Qwen2Tokenizer", "qwen2", {split::qwen2()}, true},
  };
  return classes;
}

std::optional<JsonObject> object_in(const fs::path& path) {
  if (!fs::exists(path)) return std::nullopt;
  return io::read_json_object(path.string(), ErrorKind::Model);
}

const TokenizerClass& class_of(const fs::path& folder, const std::optional<JsonObject>& config) {
  std::vector<std::string> known;
  for (const TokenizerClass& entry : tokenizer_classes()) known.push_back(entry.name);
  std::string found = "there is no tokenizer_config.json with a tokenizer_class";
  if (config && config->has("tokenizer_class")) {
    std::string name = config->text("tokenizer_class");
    if (name.ends_with("Fast")) name.resize(name.size() - 4);
    for (const TokenizerClass& entry : tokenizer_classes()) {
      if (entry.name == name) return entry;
    }
    found = fmt::format("tokenizer_class is \"{}\"{}", name, closest_clause(name, known));
  } else if (const auto model = object_in(folder / "config.json"); model && model->has("model_type")) {
    const std::string family = model->text("model_type");
    for (const TokenizerClass& entry : tokenizer_classes()) {
      if (entry.family == family) return entry;
    }
  }
  throw Error(
      ErrorKind::Model,
      fmt::format("reading \"{}\": vocab.json and merges.txt must be those of a GPT2Tokenizer or Qwen2Tokenizer, "
                  "but {}; fetch the model's tokenizer.json, or save one with its own library",
                  folder.string(), found));
}

std::vector<std::pair<std::string, std::string>> read_merges_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    throw Error(ErrorKind::Model,
                fmt::format("reading \"{}\": it must be readable, but it is not; check its permissions", path));
  }
  std::vector<std::pair<std::string, std::string>> merges;
  bool is_first = true;
  for (std::string line; std::getline(file, line); is_first = false) {
    if (line.ends_with('\r')) line.pop_back();
    const bool is_head = is_first && line.starts_with("#version");
    if (!line.empty() && !is_head) merges.push_back(read_merge(line, merges.size(), path));
  }
  return merges;
}

std::vector<AddedToken> read_added_tokens(const fs::path& folder, const std::optional<JsonObject>& config,
                                          const TokenizerDefinition& definition) {
  const auto most = static_cast<int64_t>(definition.vocabulary.size() + kMostUnusedIds);
  std::vector<AddedToken> tokens;
  const auto add = [&](int64_t id, const std::string& content) -> AddedToken& {
    const auto in_vocabulary = id_of_token(definition, content);
    if (id < 0 || id > most || content.empty() || (in_vocabulary && *in_vocabulary != id)) {
      refuse_tokenizer(folder.string(), fmt::format("an added token must have an id of its own from 0 to {}", most),
                       fmt::format("\"{}\" has {}", content, id));
    }
    return tokens.emplace_back(AddedToken{.id = static_cast<int32_t>(id), .content = content});
  };
  if (config && config->has("added_tokens_decoder")) {
    const JsonObject decoder = config->object("added_tokens_decoder");
    for (const std::string& key : decoder.keys()) {
      const JsonObject entry = decoder.object(key);
      const bool is_number = !key.empty() && key.size() < 10 &&
                             std::all_of(key.begin(), key.end(), [](char c) { return c >= '0' && c <= '9'; });
      AddedToken& token = add(is_number ? std::stoll(key) : -1, entry.text("content"));
      token.special = entry.boolean_or("special", false);
      token.takes_left = entry.boolean_or("lstrip", false);
      token.takes_right = entry.boolean_or("rstrip", false);
      token.single_word = entry.boolean_or("single_word", false);
    }
  } else if (const auto listed = object_in(folder / "added_tokens.json")) {
    for (const std::string& content : listed->keys()) add(listed->integer(content), content);
  }
  const auto end_of_text = id_of_token(definition, kEndOfText);
  const bool is_listed =
      std::any_of(tokens.begin(), tokens.end(), [](const AddedToken& token) { return token.content == kEndOfText; });
  if (end_of_text && !is_listed) add(*end_of_text, kEndOfText);
  std::sort(tokens.begin(), tokens.end(), [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  return tokens;
}

}  // namespace

TokenizerDefinition read_tokenizer_vocab_merges(const std::string& folder) {
  const fs::path root(folder);
  const auto config = object_in(root / "tokenizer_config.json");
  const TokenizerClass& known = class_of(root, config);
  if (config && config->boolean_or("add_prefix_space", false)) {
    config->refuse("add_prefix_space", "false (a space that no text has would be put before it)");
  }
  TokenizerDefinition definition;
  definition.kind = TokenizerKind::ByteLevelBpe;
  definition.source = folder;
  definition.split_rules = known.rules;
  definition.normalizes_to_nfc = known.normalizes_to_nfc;
  const std::string vocabulary = (root / "vocab.json").string(), merges = (root / "merges.txt").string();
  definition.vocabulary = read_vocabulary(io::read_json_object(vocabulary, ErrorKind::Model), vocabulary);
  definition.merges = resolve_merges(read_merges_file(merges), definition.vocabulary, merges);
  definition.added_tokens = read_added_tokens(root, config, definition);
  if (config) read_tokenizer_config((root / "tokenizer_config.json").string(), definition);
  return definition;
}

}  // namespace assay::data
