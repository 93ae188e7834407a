// Writes a tokenizer in the Hugging Face layout, such that reading it gives the same definition.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "assay/data/tokenizer.h"
#include "assay/data/tokenizer_definition.h"
#include "assay/io/atomic_file.h"

namespace assay::data {
namespace {

using OrderedJson = nlohmann::ordered_json;

OrderedJson typed(const char* type) {
  return {{"type", type}};
}

OrderedJson byte_level(bool uses_regex) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", uses_regex}};
}

OrderedJson added_tokens(const TokenizerDefinition& definition) {
  OrderedJson list = OrderedJson::array();
  for (const AddedToken& token : definition.added_tokens) {
    list.push_back({{"id", token.id},
                    {"content", token.content},
                    {"single_word", token.single_word},
                    {"lstrip", token.takes_left},
                    {"rstrip", token.takes_right},
                    {"normalized", token.normalized},
                    {"special", token.special}});
  }
  return list;
}

bool has_marks(const TokenizerDefinition& definition) {
  return definition.kind == TokenizerKind::SentencePieceBpe || definition.kind == TokenizerKind::Unigram;
}

OrderedJson normalizer(const TokenizerDefinition& definition) {
  OrderedJson parts = OrderedJson::array();
  if (definition.normalizes_to_nfc) parts.push_back(typed("NFC"));
  if (has_marks(definition) && definition.added_space == AddedSpace::EveryStretch) {
    parts.push_back({{"type", "Prepend"}, {"prepend", "▁"}});
    parts.push_back({{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}});
  }
  if (parts.empty()) return nullptr;
  return {{"type", "Sequence"}, {"normalizers", std::move(parts)}};
}

OrderedJson split_rule(const SplitRule& rule) {
  if (rule == split::each_digit()) return {{"type", "Digits"}, {"individual_digits", true}};
  if (rule == split::runs_of_digits()) return {{"type", "Digits"}, {"individual_digits", false}};
  if (rule == split::gpt2()) return byte_level(true);
  return {{"type", "Split"},
          {"pattern", {{"Regex", rule.pattern}}},
          {"behavior", rule.keeps_gaps ? "Isolated" : "Removed"},
          {"invert", !rule.keeps_gaps}};
}

OrderedJson metaspace(const TokenizerDefinition& definition) {
  const char* scheme = definition.added_space == AddedSpace::WhereMissing   ? "always"
                       : definition.added_space == AddedSpace::FirstStretch ? "first"
                                                                            : "never";
  return {{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", scheme}, {"split", definition.cuts_words}};
}

OrderedJson pre_tokenizer(const TokenizerDefinition& definition) {
  if (has_marks(definition)) {
    return definition.added_space == AddedSpace::EveryStretch ? OrderedJson(nullptr) : metaspace(definition);
  }
  if (definition.kind == TokenizerKind::WordLevel) {
    return typed(definition.split_rules.front() == split::words_and_marks() ? "Whitespace" : "WhitespaceSplit");
  }
  OrderedJson parts = OrderedJson::array();
  for (const SplitRule& rule : definition.split_rules) parts.push_back(split_rule(rule));
  const bool ends_in_byte_level = !definition.split_rules.empty() && definition.split_rules.back() == split::gpt2();
  if (!ends_in_byte_level) parts.push_back(byte_level(false));
  return {{"type", "Sequence"}, {"pretokenizers", std::move(parts)}};
}

OrderedJson post_processor(const TokenizerDefinition& definition) {
  if (!definition.adds_bos) return nullptr;
  const std::string bos = spelling_of_token(definition, *definition.bos);
  return {
      {"type", "TemplateProcessing"},
      {"single", {{{"SpecialToken", {{"id", bos}, {"type_id", 0}}}}, {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
      {"pair", OrderedJson::array()},
      {"special_tokens", {{bos, {{"id", bos}, {"ids", {*definition.bos}}, {"tokens", {bos}}}}}}};
}

OrderedJson decoder(const TokenizerDefinition& definition) {
  if (definition.kind == TokenizerKind::WordLevel) return nullptr;
  if (definition.kind == TokenizerKind::ByteLevelBpe) return byte_level(true);
  OrderedJson parts = OrderedJson::array();
  parts.push_back({{"type", "Replace"}, {"pattern", {{"String", "▁"}}}, {"content", " "}});
  parts.push_back(typed("ByteFallback"));
  parts.push_back(typed("Fuse"));
  if (definition.added_space != AddedSpace::Never) {
    parts.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  }
  return {{"type", "Sequence"}, {"decoders", std::move(parts)}};
}

OrderedJson unigram_model(const TokenizerDefinition& definition) {
  OrderedJson vocabulary = OrderedJson::array();
  for (size_t id = 0; id < definition.vocabulary.size(); ++id) {
    vocabulary.push_back({definition.vocabulary[id], definition.log_probabilities[id]});
  }
  OrderedJson unknown = nullptr;
  if (definition.unknown) unknown = *definition.unknown;
  return {{"type", "Unigram"},
          {"unk_id", unknown},
          {"vocab", std::move(vocabulary)},
          {"byte_fallback", definition.falls_back_to_bytes}};
}

OrderedJson model(const TokenizerDefinition& definition) {
  if (definition.kind == TokenizerKind::Unigram) return unigram_model(definition);
  const bool is_word_level = definition.kind == TokenizerKind::WordLevel;
  OrderedJson unknown = nullptr;
  if (definition.unknown) unknown = spelling_of_token(definition, *definition.unknown);
  OrderedJson::object_t vocabulary;  // filled as the vector that it is: its own insertion looks for the key each time
  std::vector<OrderedJson::object_t::value_type>& entries = vocabulary;
  for (size_t id = 0; id < definition.vocabulary.size(); ++id) {
    if (!definition.vocabulary[id].empty()) entries.emplace_back(definition.vocabulary[id], id);
  }
  if (is_word_level) return {{"type", "WordLevel"}, {"vocab", std::move(vocabulary)}, {"unk_token", unknown}};
  OrderedJson merges = OrderedJson::array();
  const auto spelling = [&](int32_t id) { return definition.vocabulary[static_cast<size_t>(id)]; };
  for (const BpeMerge& merge : definition.merges) merges.push_back({spelling(merge.left), spelling(merge.right)});
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", unknown},
          {"fuse_unk", definition.fuses_unknown},
          {"byte_fallback", definition.kind == TokenizerKind::SentencePieceBpe},
          {"ignore_merges", definition.ignores_merges},
          {"vocab", std::move(vocabulary)},
          {"merges", std::move(merges)}};
}

OrderedJson config(const TokenizerDefinition& definition) {
  OrderedJson config = {{"add_bos_token", definition.adds_bos}};
  if (definition.bos) config["bos_token"] = spelling_of_token(definition, *definition.bos);
  if (definition.eos) config["eos_token"] = spelling_of_token(definition, *definition.eos);
  if (definition.chat_template) config["chat_template"] = *definition.chat_template;
  return config;
}

void write_json(const std::filesystem::path& path, const OrderedJson& value) {
  io::write_file(path.string(), value.dump(1) + "\n");
}

}  // namespace

void save_tokenizer(const Tokenizer& tokenizer, const std::string& folder) {
  std::error_code ignored;  // a folder that cannot be made is refused by the first file written
  std::filesystem::create_directories(folder, ignored);
  const TokenizerDefinition& definition = tokenizer.definition();
  const OrderedJson file = {{"version", "1.0"},
                            {"truncation", nullptr},
                            {"padding", nullptr},
                            {"added_tokens", added_tokens(definition)},
                            {"normalizer", normalizer(definition)},
                            {"pre_tokenizer", pre_tokenizer(definition)},
                            {"post_processor", post_processor(definition)},
                            {"decoder", decoder(definition)},
                            {"model", model(definition)}};
  write_json(std::filesystem::path(folder) / "tokenizer.json", file);
  write_json(std::filesystem::path(folder) / "tokenizer_config.json", config(definition));
}

}  // namespace assay::data
