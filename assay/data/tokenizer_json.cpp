// Reads tokenizer.json and tokenizer_config.json of Hugging Face. A tokenizer there is five exchangeable parts; Assay
// knows the combinations that its three kinds consist of and refuses every other part by its name, because a part that
// were ignored would give other ids than the model was trained with.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "assay/core/error.h"
#include "assay/data/tokenizer_files.h"
#include "assay/io/json.h"
#include "assay/io/mapped_file.h"

namespace assay::data {
namespace {

using io::Json;
using io::JsonObject;

constexpr const char* kSupported =
    "byte-level BPE (GPT-2, SmolLM2, Llama 3), SentencePiece BPE with byte fallback (Llama 2), WordLevel";
constexpr size_t kMostUnusedIds = 65536;  // ids are an index: a stray huge one must not become an allocation

[[noreturn]] void refuse(const std::string& source, const std::string& rule, const std::string& found) {
  throw Error(ErrorKind::Model, fmt::format("reading \"{}\": {}, but {}; choose a model whose tokenizer is one of: {}",
                                            source, rule, found, kSupported));
}

std::string type_of(const JsonObject& part) {
  return part.text("type");
}

/// A part and, where it is a Sequence, the parts in it.
std::vector<JsonObject> flatten(const JsonObject& parent, const char* key, const char* sequence_key) {
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

class Reader {
 public:
  explicit Reader(const std::string& path)
      : root_(io::read_json_object(path, ErrorKind::Model)), model_(root_.object("model")) {
    definition_.source = path;
  }

  TokenizerDefinition read() {
    const std::string model = model_.text_or("type", model_.has("merges") ? "BPE" : "");
    if (model != "BPE" && model != "WordLevel") {
      refuse(source(), "the model must be BPE or WordLevel", fmt::format("it is \"{}\"", model));
    }
    read_vocabulary();
    read_added_tokens();
    if (model == "WordLevel") {
      read_word_level();
    } else {
      read_bpe();
    }
    read_post_processor();
    return std::move(definition_);
  }

 private:
  const std::string& source() const { return definition_.source; }

  void read_vocabulary() {
    const JsonObject vocabulary = model_.object("vocab");
    const auto count = vocabulary.json().size();
    for (const auto& [token, value] : vocabulary.json().items()) {
      const bool is_index = value.is_number_integer() && value >= 0 && value < count + kMostUnusedIds;
      if (!is_index || token.empty()) {
        refuse(source(),
               fmt::format("a vocabulary of {} must map tokens to ids below {}", count, count + kMostUnusedIds),
               fmt::format("\"{}\" has {}", token, io::brief(value)));
      }
      const auto id = value.get<size_t>();
      if (id >= definition_.vocabulary.size()) definition_.vocabulary.resize(id + 1);
      std::string& place = definition_.vocabulary[id];
      if (!place.empty()) {
        refuse(source(), "an id must stand for one token",
               fmt::format("\"{}\" and \"{}\" both have {}", place, token, id));
      }
      place = token;
    }
  }

  void read_added_tokens() {
    if (!root_.has("added_tokens")) return;
    for (const JsonObject& entry : root_.objects("added_tokens")) {
      const auto most = static_cast<int64_t>(definition_.vocabulary.size() + kMostUnusedIds);
      AddedToken token{static_cast<int32_t>(entry.integer("id", 0, most)), entry.text("content"),
                       entry.boolean_or("special", true)};
      for (const char* flag : {"lstrip", "rstrip", "single_word"}) {
        if (entry.boolean_or(flag, false)) {
          refuse(source(), "added tokens must match as they stand", fmt::format("\"{}\" has {}", token.content, flag));
        }
      }
      if (entry.boolean_or("normalized", false) && root_.has("normalizer")) {
        refuse(source(), "added tokens must match before normalisation",
               fmt::format("\"{}\" has normalized = true", token.content));
      }
      if (token.content.empty()) entry.refuse("content", "a text that is not empty");
      definition_.added_tokens.push_back(std::move(token));
    }
  }

  void read_unknown() {
    if (!model_.has("unk_token")) return;
    const std::string token = model_.text("unk_token");
    definition_.unknown = id_of_token(definition_, token);
    if (!definition_.unknown)
      refuse(source(), "the unknown token must be in the vocabulary", fmt::format("\"{}\" is not", token));
  }

  void read_word_level() {
    definition_.kind = TokenizerKind::WordLevel;
    const auto normalizers = flatten(root_, "normalizer", "normalizers");
    if (!normalizers.empty())
      refuse(source(), "a word-level tokenizer must have no normalizer", "it has " + names_of(normalizers));
    const auto cuts = flatten(root_, "pre_tokenizer", "pretokenizers");
    if (cuts.size() != 1 || !all_are(cuts, {"WhitespaceSplit", "Whitespace"})) {
      refuse(source(), "the pre-tokenizer of a word-level tokenizer must be WhitespaceSplit or Whitespace",
             "it is " + names_of(cuts));
    }
    definition_.split_rules = {type_of(cuts[0]) == "Whitespace" ? split::words_and_marks() : split::at_white_space()};
    if (root_.has("decoder"))
      refuse(source(), "a word-level tokenizer must have no decoder", "it has " + type_of(root_.object("decoder")));
    read_unknown();
  }

  void read_bpe() {
    read_unknown();
    if (model_.has("dropout") && model_.real("dropout") != 0) model_.refuse("dropout", "null or 0");
    for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      if (!model_.text_or(affix, "").empty()) model_.refuse(affix, "null or empty");
    }
    const auto normalizers = flatten(root_, "normalizer", "normalizers");
    const auto cuts = flatten(root_, "pre_tokenizer", "pretokenizers");
    if (!cuts.empty() && type_of(cuts.back()) == "ByteLevel") {
      read_byte_level(normalizers, cuts);
    } else {
      read_sentencepiece(normalizers, cuts);
    }
    definition_.merges = resolve_merges(read_merges(), definition_.vocabulary, source());
  }

  /// Merges are "a b" in older files and ["a", "b"] in newer ones.
  std::vector<std::pair<std::string, std::string>> read_merges() const {
    std::vector<std::pair<std::string, std::string>> merges;
    if (!model_.value("merges").is_array()) model_.refuse("merges", "a list");
    for (const Json& entry : model_.value("merges")) {
      if (entry.is_array() && entry.size() == 2 && entry[0].is_string() && entry[1].is_string()) {
        merges.emplace_back(entry[0].get<std::string>(), entry[1].get<std::string>());
        continue;
      }
      const std::string both = entry.is_string() ? entry.get<std::string>() : "";
      const size_t space = both.find(' ');
      if (space == std::string::npos || both.find(' ', space + 1) != std::string::npos) {
        refuse(source(), "a merge must be two tokens", fmt::format("merge {} is {}", merges.size(), io::brief(entry)));
      }
      merges.emplace_back(both.substr(0, space), both.substr(space + 1));
    }
    return merges;
  }

  void read_byte_level(const std::vector<JsonObject>& normalizers, const std::vector<JsonObject>& cuts) {
    definition_.kind = TokenizerKind::ByteLevelBpe;
    if (!normalizers.empty()) {
      refuse(source(), "a byte-level tokenizer must have no normalizer", "it has " + names_of(normalizers));
    }
    for (const JsonObject& cut : cuts) definition_.split_rules.push_back(read_split_rule(cut));
    if (!cuts.back().boolean_or("use_regex", true)) definition_.split_rules.pop_back();
    if (cuts.back().boolean_or("add_prefix_space", false)) {
      cuts.back().refuse("add_prefix_space", "false (a space that no text has would be put before it)");
    }
    if (!all_are(flatten(root_, "decoder", "decoders"), {"ByteLevel"})) {
      refuse(source(), "the decoder of a byte-level tokenizer must be ByteLevel",
             "it is " + names_of(flatten(root_, "decoder", "decoders")));
    }
    if (model_.boolean_or("byte_fallback", false)) model_.refuse("byte_fallback", "false beside ByteLevel");
    definition_.ignores_merges = model_.boolean_or("ignore_merges", false);
  }

  SplitRule read_split_rule(const JsonObject& cut) const {
    const std::string type = type_of(cut);
    if (type == "ByteLevel") return split::gpt2();
    if (type == "Digits")
      return cut.boolean_or("individual_digits", false) ? split::each_digit() : split::runs_of_digits();
    if (type != "Split") {
      refuse(source(), "the parts of a byte-level pre-tokenizer must be ByteLevel, Digits or Split",
             fmt::format("one is \"{}\"", type));
    }
    if (cut.text("behavior") != "Isolated") cut.refuse("behavior", "\"Isolated\"");
    if (cut.boolean_or("invert", false)) cut.refuse("invert", "false");
    return {cut.object("pattern").text("Regex")};
  }

  void read_sentencepiece(const std::vector<JsonObject>& normalizers, const std::vector<JsonObject>& cuts) {
    definition_.kind = TokenizerKind::SentencePieceBpe;
    const std::string rule =
        "a BPE tokenizer must be byte-level (pre-tokenizer ByteLevel) or put \"▁\" in place of spaces (normalizer "
        "Prepend \"▁\" + Replace \" \" by \"▁\", no pre-tokenizer)";
    if (!cuts.empty()) refuse(source(), rule, "its pre-tokenizer is " + names_of(cuts));
    if (names_of(normalizers) != "Prepend + Replace")
      refuse(source(), rule, "its normalizer is " + names_of(normalizers));
    const JsonObject &prepend = normalizers[0], &replace = normalizers[1];
    if (prepend.text("prepend") != "▁") prepend.refuse("prepend", "\"▁\"");
    if (replace.object("pattern").text("String") != " ") replace.refuse("pattern", "{\"String\": \" \"}");
    if (replace.text("content") != "▁") replace.refuse("content", "\"▁\"");
    const auto decoders = flatten(root_, "decoder", "decoders");
    if (!all_are(decoders, {"Replace", "ByteFallback", "Fuse", "Strip"})) {
      refuse(source(), "the decoder beside \"▁\" must be made of Replace, ByteFallback, Fuse and Strip",
             "it is " + names_of(decoders));
    }
    if (!model_.boolean_or("byte_fallback", false)) model_.refuse("byte_fallback", "true beside \"▁\"");
    definition_.fuses_unknown = model_.boolean_or("fuse_unk", false);
  }

  /// A post-processor may put one BOS in front; what else it adds would end up in every document.
  void read_post_processor() {
    for (const JsonObject& part : flatten(root_, "post_processor", "processors")) {
      const std::string type = type_of(part);
      if (type == "ByteLevel") continue;  // moves offsets, adds nothing
      if (type != "TemplateProcessing") {
        refuse(source(), "the post-processor must be ByteLevel or TemplateProcessing",
               fmt::format("it is \"{}\"", type));
      }
      const std::vector<JsonObject> single = part.objects("single");
      const bool has_bos = single.size() == 2 && single[0].has("SpecialToken") && single[1].has("Sequence");
      if (!has_bos && !(single.size() == 1 && single[0].has("Sequence"))) {
        refuse(source(), "the post-processor may put one token before a text and nothing else",
               fmt::format("its template is {}", io::brief(part.value("single"))));
      }
      if (!has_bos) continue;
      const std::string name = single[0].object("SpecialToken").text("id");
      definition_.bos = id_of_token(definition_, name);
      if (!definition_.bos)
        refuse(source(), "the token before every text must be in the vocabulary", fmt::format("\"{}\" is not", name));
      definition_.adds_bos = true;
    }
  }

  JsonObject root_;
  JsonObject model_;
  TokenizerDefinition definition_;
};

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

void read_config(const std::string& path, TokenizerDefinition& definition) {
  const JsonObject config = io::read_json_object(path, ErrorKind::Model);
  if (const auto bos = named_token(config, "bos_token", definition)) definition.bos = bos;
  definition.eos = named_token(config, "eos_token", definition);
  definition.chat_template = chat_template_of(config);
  if (config.boolean_or("add_eos_token", false)) config.refuse("add_eos_token", "false (texts end without a mark)");
  if (config.has("add_bos_token")) definition.adds_bos = config.boolean("add_bos_token");
  if (definition.adds_bos && !definition.bos) config.refuse("add_bos_token", "false where bos_token is not given");
}

}  // namespace

TokenizerDefinition read_tokenizer_json(const std::string& path) {
  TokenizerDefinition definition = Reader(path).read();
  const auto folder = std::filesystem::path(path).parent_path();
  if (const auto config = folder / "tokenizer_config.json"; std::filesystem::exists(config)) {
    read_config(config.string(), definition);
  }
  if (const auto jinja = folder / "chat_template.jinja"; std::filesystem::exists(jinja)) {
    definition.chat_template = io::MappedFile::open(jinja.string(), ErrorKind::Model)->text();
  }
  return definition;
}

}  // namespace assay::data
