// Reads tokenizer.json of Hugging Face. A tokenizer there is five exchangeable parts; Assay knows the combinations that
// its four kinds consist of and refuses every other part by its name (tokenizer_json_parts.h).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "assay/core/error.h"
#include "assay/data/tokenizer_files.h"
#include "assay/data/tokenizer_json_parts.h"
#include "assay/io/json.h"
#include "assay/io/mapped_file.h"

namespace assay::data {
namespace {

using io::Json;
using io::JsonObject;

class Reader {
 public:
  explicit Reader(const std::string& path)
      : root_(io::read_json_object(path, ErrorKind::Model)), model_(root_.object("model")) {
    definition_.source = path;
  }

  TokenizerDefinition read() {
    const std::string model = model_.text_or("type", model_.has("merges") ? "BPE" : "");
    if (model != "BPE" && model != "WordLevel" && model != "Unigram") {
      refuse_tokenizer(source(), "the model must be BPE, Unigram or WordLevel", fmt::format("it is \"{}\"", model));
    }
    if (model == "Unigram") {
      read_scored_vocabulary();
    } else {
      definition_.vocabulary = read_vocabulary(model_.object("vocab"), source());
    }
    normalizers_ = parts_of(root_, "normalizer", "normalizers");
    definition_.normalizes_to_nfc = take_nfc(normalizers_);
    read_added_tokens();
    if (model == "WordLevel") {
      read_word_level();
    } else if (model == "Unigram") {
      read_unigram();
    } else {
      read_bpe();
    }
    read_post_processor();
    return std::move(definition_);
  }

 private:
  const std::string& source() const { return definition_.source; }

  /// Unigram: a list of [token, log-probability], whose ids are their places.
  void read_scored_vocabulary() {
    if (!model_.value("vocab").is_array()) model_.refuse("vocab", "a list of pairs of a token and its log-probability");
    for (const Json& entry : model_.value("vocab")) {
      const bool is_pair = entry.is_array() && entry.size() == 2 && entry[0].is_string() && entry[1].is_number() &&
                           !entry[0].get_ref<const std::string&>().empty() && std::isfinite(entry[1].get<double>());
      if (!is_pair) {
        refuse_tokenizer(source(), "an entry of a Unigram vocabulary must be a token and its log-probability",
                         fmt::format("entry {} is {}", definition_.vocabulary.size(), io::brief(entry)));
      }
      definition_.vocabulary.push_back(entry[0].get<std::string>());
      definition_.log_probabilities.push_back(entry[1].get<double>());
    }
  }

  void read_added_tokens() {
    if (!root_.has("added_tokens")) return;
    const auto ids = ids_by_token(definition_.vocabulary, source());
    for (const JsonObject& entry : root_.objects("added_tokens")) {
      const auto most = static_cast<int64_t>(definition_.vocabulary.size() + kMostUnusedIds);
      AddedToken token{static_cast<int32_t>(entry.integer("id", 0, most)), entry.text("content"),
                       entry.boolean_or("special", true)};
      token.takes_left = entry.boolean_or("lstrip", false);
      token.takes_right = entry.boolean_or("rstrip", false);
      token.single_word = entry.boolean_or("single_word", false);
      token.normalized = entry.boolean_or("normalized", false);
      if (token.normalized && !normalizers_.empty()) {
        refuse_tokenizer(source(), "added tokens must match before a normalizer that puts \"▁\" for spaces",
                         fmt::format("\"{}\" has normalized = true", token.content));
      }
      if (token.content.empty()) entry.refuse("content", "a text that is not empty");
      const auto found = ids.find(token.content);
      if (found != ids.end() && found->second != token.id) {
        refuse_tokenizer(source(), "an added token that is in the vocabulary must have its id there",
                         fmt::format("\"{}\" has {} and {}", token.content, token.id, found->second));
      }
      definition_.added_tokens.push_back(std::move(token));
    }
    // Without a normalizer it matters only whether some are looked for before others.
    std::vector<AddedToken>& tokens = definition_.added_tokens;
    const bool all_normalized =
        std::all_of(tokens.begin(), tokens.end(), [](const AddedToken& token) { return token.normalized; });
    if (!definition_.normalizes_to_nfc && all_normalized) {
      for (AddedToken& token : tokens) token.normalized = false;
    }
  }

  void read_unknown() {
    if (!model_.has("unk_token")) return;
    const std::string token = model_.text("unk_token");
    definition_.unknown = id_of_token(definition_, token);
    if (!definition_.unknown)
      refuse_tokenizer(source(), "the unknown token must be in the vocabulary", fmt::format("\"{}\" is not", token));
  }

  void read_word_level() {
    definition_.kind = TokenizerKind::WordLevel;
    require_no_normalizer("a word-level tokenizer");
    const auto cuts = parts_of(root_, "pre_tokenizer", "pretokenizers");
    if (cuts.size() != 1 || !all_are(cuts, {"WhitespaceSplit", "Whitespace"})) {
      refuse_tokenizer(source(), "the pre-tokenizer of a word-level tokenizer must be WhitespaceSplit or Whitespace",
                       "it is " + names_of(cuts));
    }
    definition_.split_rules = {type_of(cuts[0]) == "Whitespace" ? split::words_and_marks() : split::at_white_space()};
    if (root_.has("decoder"))
      refuse_tokenizer(source(), "a word-level tokenizer must have no decoder",
                       "it has " + type_of(root_.object("decoder")));
    read_unknown();
  }

  void read_bpe() {
    read_unknown();
    if (model_.has("dropout") && model_.real("dropout") != 0) model_.refuse("dropout", "null or 0");
    for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      if (!model_.text_or(affix, "").empty()) model_.refuse(affix, "null or empty");
    }
    const auto cuts = parts_of(root_, "pre_tokenizer", "pretokenizers");
    if (!cuts.empty() && type_of(cuts.back()) == "ByteLevel") {
      read_byte_level(cuts);
    } else {
      read_sentencepiece();
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
      if (!entry.is_string()) {
        refuse_tokenizer(source(), "a merge must be two tokens",
                         fmt::format("merge {} is {}", merges.size(), io::brief(entry)));
      }
      merges.push_back(read_merge(entry.get<std::string>(), merges.size(), source()));
    }
    return merges;
  }

  void require_no_normalizer(const std::string& kind) const {
    if (normalizers_.empty()) return;
    refuse_tokenizer(source(), kind + " must have no normalizer but NFC",
                     "it has " + names_of(parts_of(root_, "normalizer", "normalizers")));
  }

  void read_byte_level(const std::vector<JsonObject>& cuts) {
    definition_.kind = TokenizerKind::ByteLevelBpe;
    require_no_normalizer("a byte-level tokenizer");
    for (const JsonObject& cut : cuts) definition_.split_rules.push_back(read_split_rule(cut, source()));
    if (!cuts.back().boolean_or("use_regex", true)) definition_.split_rules.pop_back();
    if (cuts.back().boolean_or("add_prefix_space", false)) {
      cuts.back().refuse("add_prefix_space", "false (a space that no text has would be put before it)");
    }
    if (!all_are(parts_of(root_, "decoder", "decoders"), {"ByteLevel"})) {
      refuse_tokenizer(source(), "the decoder of a byte-level tokenizer must be ByteLevel",
                       "it is " + names_of(parts_of(root_, "decoder", "decoders")));
    }
    if (model_.boolean_or("byte_fallback", false)) model_.refuse("byte_fallback", "false beside ByteLevel");
    definition_.ignores_merges = model_.boolean_or("ignore_merges", false);
  }

  void read_sentencepiece() {
    definition_.kind = TokenizerKind::SentencePieceBpe;
    read_space_marks(root_, normalizers_, definition_);
    if (!model_.boolean_or("byte_fallback", false)) model_.refuse("byte_fallback", "true beside \"▁\"");
    if (model_.boolean_or("ignore_merges", false)) model_.refuse("ignore_merges", "false beside \"▁\"");
    definition_.fuses_unknown = model_.boolean_or("fuse_unk", false);
  }

  void read_unigram() {
    definition_.kind = TokenizerKind::Unigram;
    read_space_marks(root_, normalizers_, definition_);
    definition_.falls_back_to_bytes = model_.boolean_or("byte_fallback", false);
    if (!model_.has("unk_id")) return;
    const auto count = static_cast<int64_t>(definition_.vocabulary.size());
    definition_.unknown = static_cast<int32_t>(model_.integer("unk_id", 0, count - 1));
  }

  /// A post-processor may put one BOS in front; what else it adds would end up in every document.
  void read_post_processor() {
    for (const JsonObject& part : parts_of(root_, "post_processor", "processors")) {
      const std::string type = type_of(part);
      if (type == "ByteLevel") continue;  // moves offsets, adds nothing
      if (type != "TemplateProcessing") {
        refuse_tokenizer(source(), "the post-processor must be ByteLevel or TemplateProcessing",
                         fmt::format("it is \"{}\"", type));
      }
      const std::vector<JsonObject> single = part.objects("single");
      const bool has_bos = single.size() == 2 && single[0].has("SpecialToken") && single[1].has("Sequence");
      if (!has_bos && !(single.size() == 1 && single[0].has("Sequence"))) {
        refuse_tokenizer(source(), "the post-processor may put one token before a text and nothing else",
                         fmt::format("its template is {}", io::brief(part.value("single"))));
      }
      if (!has_bos) continue;
      const std::string name = single[0].object("SpecialToken").text("id");
      definition_.bos = id_of_token(definition_, name);
      if (!definition_.bos)
        refuse_tokenizer(source(), "the token before every text must be in the vocabulary",
                         fmt::format("\"{}\" is not", name));
      definition_.adds_bos = true;
    }
  }

  JsonObject root_;
  JsonObject model_;
  std::vector<JsonObject> normalizers_;  // after NFC
  TokenizerDefinition definition_;
};

}  // namespace

TokenizerDefinition read_tokenizer_json(const std::string& path) {
  TokenizerDefinition definition = Reader(path).read();
  const auto folder = std::filesystem::path(path).parent_path();
  if (const auto config = folder / "tokenizer_config.json"; std::filesystem::exists(config)) {
    read_tokenizer_config(config.string(), definition);
  }
  if (const auto jinja = folder / "chat_template.jinja"; std::filesystem::exists(jinja)) {
    definition.chat_template = io::MappedFile::open(jinja.string(), ErrorKind::Model)->text();
  }
  return definition;
}

}  // namespace assay::data
