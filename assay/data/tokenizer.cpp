#include "assay/data/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "assay/core/error.h"
#include "assay/core/hash.h"
#include "assay/core/twin.h"
#include "assay/data/nfc.h"
#include "assay/data/tokenizer_state.h"
#include "assay/io/utf8.h"

namespace assay::data {
namespace {

std::unique_ptr<SubwordModel> make_model(const TokenizerDefinition& definition) {
  switch (definition.kind) {
    case TokenizerKind::ByteLevelBpe: return make_byte_level_bpe(definition);
    case TokenizerKind::SentencePieceBpe: return make_sentencepiece_bpe(definition);
    case TokenizerKind::WordLevel: return make_word_level(definition);
    case TokenizerKind::Unigram: return make_unigram(definition);
  }
  std::abort();
}

const char* kind_name(TokenizerKind kind) {
  switch (kind) {
    case TokenizerKind::ByteLevelBpe: return "byte-level BPE";
    case TokenizerKind::SentencePieceBpe: return "SentencePiece BPE with byte fallback";
    case TokenizerKind::WordLevel: return "word level";
    case TokenizerKind::Unigram: return "Unigram";
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
  hasher.add(uint64_t{definition.adds_bos});

  // What most tokenizers do not ask for counts only where it is asked for, so that their hashes stay what they were.
  for (const AddedToken& token : definition.added_tokens) {
    const uint64_t flags = uint64_t{token.takes_left} | uint64_t{token.takes_right} << 1 |
                           uint64_t{token.single_word} << 2 | uint64_t{token.normalized} << 3;
    if (flags != 0) hasher.add("matches").add(static_cast<uint64_t>(token.id)).add(flags);
  }
  if (definition.normalizes_to_nfc) hasher.add("NFC");
  if (definition.added_space != AddedSpace::EveryStretch) {
    hasher.add("space").add(static_cast<uint64_t>(definition.added_space));
  }
  if (definition.cuts_words) hasher.add("words");
  if (!definition.log_probabilities.empty()) hasher.add(std::as_bytes(std::span(definition.log_probabilities)));
  if (definition.falls_back_to_bytes) hasher.add("bytes");
  return hasher.digest128();
}

std::string normalized_content(const TokenizerDefinition& definition, const std::string& content) {
  if (!definition.normalizes_to_nfc) return content;
  const auto normalized = to_nfc(content);
  return normalized ? normalized->text : content;
}

}  // namespace

Tokenizer::State::State(TokenizerDefinition given)
    : definition(std::move(given)),
      model(make_model(definition)),
      added(definition.added_tokens,
            [&](const std::string& content) { return normalized_content(definition, content); }),
      vocabulary_size(count_ids(definition)),
      hash(hash_definition(definition)) {}

void Tokenizer::State::check(int32_t id) const {
  if (id >= 0 && id < vocabulary_size) return;
  throw Error(ErrorKind::Data,
              fmt::format("decoding tokens: an id must be from 0 to {}, but one is {}; use ids of this "
                          "model's own tokenizer",
                          vocabulary_size - 1, id));
}

bool Tokenizer::State::adds_space() const {
  if (ASSAY_TWIN("data.added_space_stays")) return false;
  const bool has_marks =
      definition.kind == TokenizerKind::SentencePieceBpe || definition.kind == TokenizerKind::Unigram;
  return has_marks ? definition.added_space != AddedSpace::Never : definition.kind == TokenizerKind::WordLevel;
}

bool Tokenizer::State::adds_space_after_tokens() const {
  return definition.added_space != AddedSpace::FirstStretch;
}

void Tokenizer::State::encode(std::string_view text, TextPlace place, TokenSink& sink) const {
  AddedTokenScan scan(added.before_normalization(), text, place.follows_word);
  for (AddedTokenScan::Part part; scan.next(part);) {
    const auto begin = static_cast<int64_t>(part.begin);
    if (part.token != nullptr) {
      sink.put(part.token->id, begin, static_cast<int64_t>(part.end));
    } else {
      encode_stretch(text.substr(part.begin, part.end - part.begin), begin, place.stretch, sink);
    }
    place.stretch = {.begins_text = false, .begins_stretch = true};
  }
}

void Tokenizer::State::encode_stretch(std::string_view stretch, int64_t offset, StretchPlace place,
                                      TokenSink& sink) const {
  const auto normalized = definition.normalizes_to_nfc ? to_nfc(stretch) : std::nullopt;
  if (!normalized) return encode_normalized(stretch, offset, place, sink);
  const size_t before = sink.wants_spans() ? sink.spans().size() : 0;
  encode_normalized(normalized->text, 0, place, sink);
  if (!sink.wants_spans()) return;
  const auto in_text = [&](int64_t place_in_stretch) {
    return offset + static_cast<int64_t>(normalized->original_place(static_cast<size_t>(place_in_stretch)));
  };
  for (size_t i = before; i < sink.spans().size(); ++i) {
    TokenSpan& span = sink.spans()[i];
    span = {span.id, in_text(span.begin), in_text(span.end)};
  }
}

void Tokenizer::State::encode_normalized(std::string_view stretch, int64_t offset, StretchPlace place,
                                         TokenSink& sink) const {
  if (added.after_normalization().empty()) return model->encode(stretch, offset, place, sink);
  AddedTokenScan scan(added.after_normalization(), stretch);
  for (AddedTokenScan::Part part; scan.next(part);) {
    const auto begin = offset + static_cast<int64_t>(part.begin);
    if (part.token != nullptr) {
      sink.put(part.token->id, begin, offset + static_cast<int64_t>(part.end));
    } else {
      model->encode(stretch.substr(part.begin, part.end - part.begin), begin, place, sink);
    }
    place = {.begins_text = false, .begins_stretch = true};
  }
}

void require_text_utf8(std::string_view text, uint64_t offset) {
  const auto invalid = io::first_invalid_utf8(text);
  if (!invalid) return;
  throw Error(ErrorKind::Data,
              fmt::format("tokenizing a text: it must be UTF-8, but byte {} of {} (0x{:02x}) is not; convert it, for "
                          "example with `iconv -f latin1 -t utf-8`",
                          offset + *invalid, offset + text.size(), static_cast<uint8_t>(text[*invalid])));
}

Tokenizer::Tokenizer(TokenizerDefinition definition) : state_(std::make_shared<const State>(std::move(definition))) {}

std::vector<TokenSpan> Tokenizer::encode_with_spans(std::string_view text) const {
  require_text_utf8(text, 0);
  std::vector<TokenSpan> tokens;
  tokens.reserve(text.size() / 3 + 1);
  TokenSink sink(tokens);
  state_->encode(text, {}, sink);
  return tokens;
}

std::vector<int32_t> Tokenizer::encode(std::string_view text) const {
  require_text_utf8(text, 0);
  std::vector<int32_t> ids;
  ids.reserve(text.size() / 3 + 1);
  TokenSink sink(ids);
  state_->encode(text, {}, sink);
  return ids;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, DecodeOptions options) const {
  std::string text;
  bool begins_stretch = !options.is_continuation;
  for (const int32_t id : ids) {
    const std::string piece = token_text(id);
    if (const AddedToken* added = state_->added.by_id(id)) {
      const bool is_kept = options.keep_special || !added->special;
      if (is_kept) text += piece;
      begins_stretch = state_->adds_space_after_tokens() || (begins_stretch && !is_kept);
    } else {
      const bool carries_space = begins_stretch && state_->adds_space() && piece.starts_with(' ');
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
