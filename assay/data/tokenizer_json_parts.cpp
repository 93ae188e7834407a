#include "assay/data/tokenizer_json_parts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "assay/core/error.h"

namespace assay::data {

using io::JsonObject;

namespace {

constexpr const char* kSupported =
    "byte-level BPE (GPT-2, NeoX, SmolLM2, Llama 3, Qwen 2), SentencePiece BPE with byte fallback (Llama 2), Unigram, "
    "WordLevel";

/// "always", "first" or "never" of a Metaspace; older files say add_prefix_space instead.
AddedSpace prepend_scheme(const JsonObject& metaspace) {
  const bool is_off = metaspace.has("add_prefix_space") && !metaspace.boolean("add_prefix_space");
  const std::string scheme = metaspace.text_or("prepend_scheme", is_off ? "never" : "always");
  if (is_off && scheme != "never") metaspace.refuse("prepend_scheme", "\"never\" where add_prefix_space is false");
  if (scheme == "always") return AddedSpace::WhereMissing;
  if (scheme == "first") return AddedSpace::FirstStretch;
  if (scheme != "never") metaspace.refuse("prepend_scheme", "\"always\", \"first\" or \"never\"");
  return AddedSpace::Never;
}

void require_mark(const JsonObject& part, const char* key) {
  if (part.text(key) != "▁") part.refuse(key, "\"▁\"");
}

void require_mark_for_blank(const JsonObject& replace) {
  if (replace.object("pattern").text_or("String", "") != " ") replace.refuse("pattern", "{\"String\": \" \"}");
  require_mark(replace, "content");
}

/// "bos_token" and the like: a string, or an object with the string as "content"; nothing if absent.
std::optional<std::string> token_name(const JsonObject& config, const char* key) {
  if (!config.has(key)) return std::nullopt;
  return config.value(key).is_object() ? config.object(key).text("content") : config.text(key);
}

std::optional<int32_t> named_token(const JsonObject& config, const char* key, const TokenizerDefinition& definition) {
  const auto name = token_name(config, key);
  if (!name) return std::nullopt;
  const auto id = id_of_token(definition, *name);
  if (!id) config.refuse(key, "a token of tokenizer.json");
  return id;
}

/// A template, or a list of named ones of which the default counts.
std::optional<std::string> chat_template_of(const JsonObject& config) {
  if (!config.has("chat_template")) return std::nullopt;
  if (!config.value("chat_template").is_array()) return config.text("chat_template");
  for (const JsonObject& named : config.objects("chat_template")) {
    if (named.text("name") == "default") return named.text("template");
  }
  return std::nullopt;
}

}  // namespace

void refuse_tokenizer(const std::string& source, const std::string& rule, const std::string& found) {
  throw Error(ErrorKind::Model, fmt::format("reading \"{}\": {}, but {}; choose a model whose tokenizer is one of: {}",
                                            source, rule, found, kSupported));
}

std::string type_of(const JsonObject& part) {
  return part.text("type");
}

std::vector<JsonObject> parts_of(const JsonObject& parent, const char* key, const char* sequence_key) {
  if (!parent.has(key)) return {};
  const JsonObject part = parent.object(key);
  if (type_of(part) != "Sequence") return {part};
  std::vector<JsonObject> parts;
  for (const JsonObject& member : part.objects(sequence_key)) {
    if (type_of(member) == "Sequence") member.refuse("type", "a part, not a Sequence within a Sequence");
    parts.push_back(member);
  }
  return parts;
}

std::string names_of(const std::vector<JsonObject>& parts) {
  std::vector<std::string> names;
  for (const JsonObject& part : parts) names.push_back(type_of(part));
  return parts.empty() ? "none" : fmt::format("{}", fmt::join(names, " + "));
}

bool all_are(const std::vector<JsonObject>& parts, std::initializer_list<std::string_view> types) {
  return std::all_of(parts.begin(), parts.end(), [&](const JsonObject& part) {
    return std::find(types.begin(), types.end(), type_of(part)) != types.end();
  });
}

std::vector<std::string> read_vocabulary(const JsonObject& ids, const std::string& source) {
  std::vector<std::string> tokens;
  const auto count = ids.json().size();
  for (const auto& [token, value] : ids.json().items()) {
    const bool is_index = value.is_number_integer() && value >= 0 && value < count + kMostUnusedIds;
    if (!is_index || token.empty()) {
      refuse_tokenizer(source,
                       fmt::format("a vocabulary of {} must map tokens to ids below {}", count, count + kMostUnusedIds),
                       fmt::format("\"{}\" has {}", token, io::brief(value)));
    }
    const auto id = value.get<size_t>();
    if (id >= tokens.size()) tokens.resize(id + 1);
    if (!tokens[id].empty()) {
      refuse_tokenizer(source, "an id must stand for one token",
                       fmt::format("\"{}\" and \"{}\" both have {}", tokens[id], token, id));
    }
    tokens[id] = token;
  }
  return tokens;
}

std::pair<std::string, std::string> read_merge(const std::string& line, size_t rank, const std::string& source) {
  const size_t space = line.find(' ');
  if (space == std::string::npos || line.find(' ', space + 1) != std::string::npos) {
    refuse_tokenizer(source, "a merge must be two tokens",
                     fmt::format("merge {} is {}", rank, io::brief(io::Json(line))));
  }
  return {line.substr(0, space), line.substr(space + 1)};
}

bool take_nfc(std::vector<JsonObject>& normalizers) {
  if (normalizers.empty() || type_of(normalizers.front()) != "NFC") return false;
  normalizers.erase(normalizers.begin());
  return true;
}

SplitRule read_split_rule(const JsonObject& cut, const std::string& source) {
  const std::string type = type_of(cut);
  if (type == "ByteLevel") return split::gpt2();
  if (type == "Digits") {
    return cut.boolean_or("individual_digits", false) ? split::each_digit() : split::runs_of_digits();
  }
  if (type != "Split") {
    refuse_tokenizer(source, "the parts of a byte-level pre-tokenizer must be ByteLevel, Digits or Split",
                     fmt::format("one is \"{}\"", type));
  }
  // An inverted pattern whose gaps are removed is one whose matches are kept.
  const bool inverts = cut.boolean_or("invert", false);
  if (cut.text("behavior") != (inverts ? "Removed" : "Isolated")) {
    cut.refuse("behavior", inverts ? "\"Removed\" where invert is true" : "\"Isolated\" where invert is false");
  }
  return {cut.object("pattern").text("Regex"), !inverts};
}

void read_space_marks(const JsonObject& root, const std::vector<JsonObject>& normalizers,
                      TokenizerDefinition& definition) {
  const std::string rule =
      "a tokenizer that is not byte-level must put \"▁\" in place of spaces (normalizer Prepend \"▁\" + Replace \" \" "
      "by "
      "\"▁\" without a pre-tokenizer, or pre-tokenizer Metaspace without either)";
  const auto cuts = parts_of(root, "pre_tokenizer", "pretokenizers");
  if (names_of(cuts) == "Metaspace") {
    if (!normalizers.empty()) refuse_tokenizer(definition.source, rule, "its normalizer is " + names_of(normalizers));
    require_mark(cuts[0], "replacement");
    definition.added_space = prepend_scheme(cuts[0]);
    definition.cuts_words = cuts[0].boolean_or("split", true);
  } else {
    // A Split at the spaces that the normalizer has replaced cuts nothing.
    const bool cuts_nothing =
        cuts.empty() || (names_of(cuts) == "Split" && cuts[0].object("pattern").text_or("String", "") == " ");
    if (!cuts_nothing) refuse_tokenizer(definition.source, rule, "its pre-tokenizer is " + names_of(cuts));
    const std::string names = names_of(normalizers);
    if (names != "Prepend + Replace" && names != "Replace") {
      refuse_tokenizer(definition.source, rule, "its normalizer is " + names);
    }
    require_mark_for_blank(normalizers.back());
    if (normalizers.size() == 2) require_mark(normalizers[0], "prepend");
    definition.added_space = normalizers.size() == 2 ? AddedSpace::EveryStretch : AddedSpace::Never;
  }
  const auto decoders = parts_of(root, "decoder", "decoders");
  if (!all_are(decoders, {"Replace", "ByteFallback", "Fuse", "Strip"}) && names_of(decoders) != "Metaspace") {
    refuse_tokenizer(definition.source,
                     "the decoder beside \"▁\" must be Metaspace or made of Replace, ByteFallback, Fuse and Strip",
                     "it is " + names_of(decoders));
  }
}

void read_tokenizer_config(const std::string& path, TokenizerDefinition& definition) {
  const JsonObject config = io::read_json_object(path, ErrorKind::Model);
  if (const auto bos = named_token(config, "bos_token", definition)) definition.bos = bos;
  definition.eos = named_token(config, "eos_token", definition);
  definition.chat_template = chat_template_of(config);
  if (config.boolean_or("add_eos_token", false))
    config.refuse("add_eos_token", "false (texts end without a mark)", "set it so, or take another model");
  if (config.has("add_bos_token")) definition.adds_bos = config.boolean("add_bos_token");
  if (definition.adds_bos && !definition.bos) config.refuse("add_bos_token", "false where bos_token is not given");
}

}  // namespace assay::data
