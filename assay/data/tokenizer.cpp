#include "assay/data/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "assay/core/error.h"
#include "assay/core/hash.h"
#include "assay/data/added_tokens.h"
#include "assay/data/subword_model.h"
#include "assay/data/tokenizer_definition.h"
#include "assay/io/utf8.h"

namespace assay::data {
namespace {

std::unique_ptr<SubwordModel> make_model(const TokenizerDefinition& definition) {
  switch (definition.kind) {
    case TokenizerKind::ByteLevelBpe: return make_byte_level_bpe(definition);
    case TokenizerKind::SentencePieceBpe: return make_sentencepiece_bpe(definition);
    case TokenizerKind::WordLevel: return make_word_level(definition);
  }
  std::abort();
}

const char* kind_name(TokenizerKind kind) {
  switch (kind) {
    case TokenizerKind::ByteLevelBpe: return "byte-level BPE";
    case TokenizerKind::SentencePieceBpe: return "SentencePiece BPE with byte fallback";
    case TokenizerKind::WordLevel: return "word level";
  }
  std::abort();
}

int32_t count_ids(const TokenizerDefinition& definition) {
  auto count = static_cast<int32_t>(definition.vocabulary.size());
  for (const AddedToken& token : definition.added_tokens) count = std::max(count, token.id + 1);
  return count;
}

std::string hash_definition(const TokenizerDefinition& definition) {
  Hasher hasher;
  const auto add_optional = [&](std::optional<int32_t> id) { hasher.add(static_cast<uint64_t>(id.value_or(-1))); };
  hasher.add(static_cast<uint64_t>(definition.kind));
  hasher.add(static_cast<uint64_t>(definition.vocabulary.size()));
  for (const std::string& token : definition.vocabulary) hasher.add(std::string_view(token));
  hasher.add(static_cast<uint64_t>(definition.merges.size()));
  hasher.add(std::as_bytes(std::span(definition.merges)));
  hasher.add(static_cast<uint64_t>(definition.added_tokens.size()));
  for (const AddedToken& token : definition.added_tokens) {
    hasher.add(static_cast<uint64_t>(token.id)).add(std::string_view(token.content)).add(uint64_t{token.special});
  }
  hasher.add(static_cast<uint64_t>(definition.split_rules.size()));
  for (const SplitRule& rule : definition.split_rules) {
    hasher.add(std::string_view(rule.pattern)).add(uint64_t{rule.keeps_gaps});
  }
  add_optional(definition.unknown);
  hasher.add(uint64_t{definition.fuses_unknown}).add(uint64_t{definition.ignores_merges});
  add_optional(definition.bos);
  add_optional(definition.eos);
  return hasher.add(uint64_t{definition.adds_bos}).digest128();
}

}  // namespace

struct Tokenizer::State {
  explicit State(TokenizerDefinition given)
      : definition(std::move(given)),
        model(make_model(definition)),
        added(definition.added_tokens),
        vocabulary_size(count_ids(definition)),
        hash(hash_definition(definition)) {}

  void check(int32_t id) const {
    if (id >= 0 && id < vocabulary_size) return;
    throw Error(ErrorKind::Data,
                fmt::format("decoding tokens: an id must be from 0 to {}, but one is {}; use ids of this "
                            "model's own tokenizer",
                            vocabulary_size - 1, id));
  }

  bool is_in_model(int32_t id) const { return static_cast<size_t>(id) < definition.vocabulary.size(); }

  TokenizerDefinition definition;
  std::unique_ptr<SubwordModel> model;
  AddedTokens added;
  int32_t vocabulary_size;
  std::string hash;
};

Tokenizer::Tokenizer(TokenizerDefinition definition) : state_(std::make_shared<const State>(std::move(definition))) {}

std::vector<TokenSpan> Tokenizer::encode_with_spans(std::string_view text) const {
  if (const auto invalid = io::first_invalid_utf8(text)) {
    throw Error(ErrorKind::Data,
                fmt::format("tokenizing a text: it must be UTF-8, but byte {} of {} (0x{:02x}) is not; convert it, for "
                            "example with `iconv -f latin1 -t utf-8`",
                            *invalid, text.size(), static_cast<uint8_t>(text[*invalid])));
  }
  std::vector<TokenSpan> tokens;
  tokens.reserve(text.size() / 3 + 1);
  for (size_t from = 0; from < text.size();) {
    const AddedTokens::Match match = state_->added.find(text, from);
    const std::string_view stretch = text.substr(from, match.begin - from);
    if (!stretch.empty()) state_->model->encode(stretch, static_cast<int64_t>(from), tokens);
    from = match.begin;
    if (match.token == nullptr) break;
    const size_t end = from + match.token->content.size();
    tokens.push_back({match.token->id, static_cast<int64_t>(from), static_cast<int64_t>(end)});
    from = end;
  }
  return tokens;
}

std::vector<int32_t> Tokenizer::encode(std::string_view text) const {
  const std::vector<TokenSpan> spans = encode_with_spans(text);
  std::vector<int32_t> ids(spans.size());
  std::transform(spans.begin(), spans.end(), ids.begin(), [](const TokenSpan& token) { return token.id; });
  return ids;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, DecodeOptions options) const {
  std::string text;
  bool begins_stretch = !options.is_continuation;
  for (const int32_t id : ids) {
    const std::string piece = token_text(id);
    if (const AddedToken* added = state_->added.by_id(id)) {
      if (options.keep_special || !added->special) text += piece;
      begins_stretch = true;
    } else {
      const bool carries_space = begins_stretch && state_->model->adds_space() && piece.starts_with(' ');
      text.append(piece, carries_space ? 1 : 0);
      begins_stretch = false;
    }
  }
  return text;
}

std::string Tokenizer::token_text(int32_t id) const {
  state_->check(id);
  if (const AddedToken* added = state_->added.by_id(id)) return added->content;
  return state_->is_in_model(id) ? state_->model->token_text(id) : std::string();
}

int32_t Tokenizer::vocabulary_size() const {
  return state_->vocabulary_size;
}

bool Tokenizer::is_special(int32_t id) const {
  const AddedToken* added = state_->added.by_id(id);
  return added != nullptr && added->special;
}

std::optional<int32_t> Tokenizer::added_token(std::string_view content) const {
  const AddedToken* added = state_->added.by_content(content);
  return added == nullptr ? std::nullopt : std::optional(added->id);
}

std::optional<int32_t> Tokenizer::bos() const {
  return state_->definition.bos;
}
std::optional<int32_t> Tokenizer::eos() const {
  return state_->definition.eos;
}
bool Tokenizer::adds_bos() const {
  return state_->definition.adds_bos;
}
const std::optional<std::string>& Tokenizer::chat_template() const {
  return state_->definition.chat_template;
}
const std::string& Tokenizer::hash() const {
  return state_->hash;
}
const TokenizerDefinition& Tokenizer::definition() const {
  return state_->definition;
}

std::string Tokenizer::description() const {
  return fmt::format("{}, {} tokens", kind_name(state_->definition.kind), state_->vocabulary_size);
}

void require_tokenizer_fits(const Tokenizer& tokenizer, int64_t model_vocabulary) {
  if (tokenizer.vocabulary_size() <= model_vocabulary) return;
  throw Error(
      ErrorKind::Model,
      fmt::format("reading \"{}\": a tokenizer's ids must be below the model's vocabulary, {}, but it has {} ids; "
                  "use the tokenizer that the model was trained with",
                  tokenizer.definition().source, model_vocabulary, tokenizer.vocabulary_size()));
}

}  // namespace assay::data
