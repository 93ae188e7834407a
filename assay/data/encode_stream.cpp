#include "assay/data/encode_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/data/nfc.h"
#include "assay/data/tokenizer_state.h"
#include "assay/data/unicode_classes.h"

namespace assay::data {
namespace {

/// Bytes at the end of `text` of a character that has only begun, 0 to 3.
size_t open_character(std::string_view text) {
  for (size_t back = 1; back <= std::min<size_t>(3, text.size()); ++back) {
    const char byte = text[text.size() - back];
    if ((static_cast<uint8_t>(byte) & 0xC0) == 0x80) continue;
    return static_cast<uint8_t>(byte) >= 0xC0 && utf8_length(byte) > back ? back : 0;
  }
  return 0;
}

/// The places at which added tokens' contents stand, in order, whether or not they count there.
std::vector<AddedTokenMatcher::Match> all_matches(const AddedTokenMatcher& matcher, std::string_view text) {
  std::vector<AddedTokenMatcher::Match> matches;
  for (auto match = matcher.find(text, 0); match.token != nullptr; match = matcher.find(text, match.end)) {
    matches.push_back(match);
  }
  return matches;
}

/// Whether one of them begins at or before a place and ends at or behind it.
bool touches(const std::vector<AddedTokenMatcher::Match>& matches, size_t place) {
  const auto after = std::upper_bound(matches.begin(), matches.end(), place,
                                      [](size_t at, const auto& match) { return at < match.begin; });
  if (after == matches.begin()) return false;
  const auto& last = *std::prev(after);  // an earlier one ends before this one begins, or at its begin
  return last.end >= place || (after - matches.begin() > 1 && std::prev(after, 2)->end >= place);
}

/// Whether one of them begins before a place and ends behind it.
bool crosses(const std::vector<AddedTokenMatcher::Match>& matches, size_t place) {
  const auto after = std::lower_bound(matches.begin(), matches.end(), place,
                                      [](const auto& match, size_t at) { return match.begin < at; });
  return after != matches.begin() && std::prev(after)->end > place;
}

}  // namespace

StreamEncoder::StreamEncoder(Tokenizer tokenizer, StreamOptions options)
    : tokenizer_(std::move(tokenizer)), options_(options), next_search_(options.window) {}

void StreamEncoder::feed(std::string_view block, std::vector<int32_t>& ids) {
  text_ += block;
  const size_t whole = text_.size() - open_character(text_);
  if (whole > checked_) {
    require_text_utf8(std::string_view(text_).substr(checked_, whole - checked_), encoded_ + checked_);
    checked_ = whole;
  }
  if (text_.size() < next_search_) return;
  const Cut cut = find_cut();
  if (cut.place > 0) {
    encode_before(cut, ids);
    next_search_ = text_.size() + options_.window;
    return;
  }
  if (text_.size() > options_.most_without_cut) {
    const bool knows_cuts = tokenizer_.state_->model->cuts_before_spaces();
    throw Error(
        ErrorKind::Data,
        fmt::format("tokenizing a text block by block: {} must come at least every {} bytes, but in bytes {} to {} "
                    "there is none; {}",
                    knows_cuts ? "a space after a word" : "an added token such as <|endoftext|>",
                    options_.most_without_cut, encoded_, encoded_ + text_.size(),
                    knows_cuts ? "break what stands there into words or lines"
                               : "divide the text into documents, since Assay does not know where else this "
                                 "tokenizer's pattern cuts"));
  }
  next_search_ = 2 * text_.size();  // what is searched again and again stays in proportion
}

void StreamEncoder::finish(std::vector<int32_t>& ids) {
  require_text_utf8(std::string_view(text_).substr(checked_), encoded_ + checked_);
  encode_before({.place = text_.size()}, ids);
  begins_stretch_ = true;
  follows_word_ = false;
  encoded_ = 0;
  next_search_ = options_.window;
}

StreamEncoder::Cut StreamEncoder::find_cut() const {
  const std::string_view text = std::string_view(text_).substr(0, checked_);
  const AddedTokenMatcher& matcher = tokenizer_.state_->added.before_normalization();
  if (text.size() <= matcher.longest()) return {};
  if (ASSAY_TWIN("data.cut_anywhere")) return {.place = character_before(text, text.size())};
  // Tokens that begin before this place, and at it, are seen in full.
  const size_t certain = text.size() - matcher.longest();
  const auto matches = all_matches(matcher, text);

  size_t behind_token = 0, stretch_end = text.size();
  AddedTokenScan scan(matcher, text, follows_word_);
  AddedTokenScan::Part last;
  for (AddedTokenScan::Part part; scan.next(part); last = part) {
    // White space that a token takes could go on, and what follows could forbid the token; and where the white space of
    // one holds another, their order is the whole text's business.
    const bool is_certain = last.token != nullptr && last.end < certain && part.begin == last.end;
    if (is_certain && !crosses(matches, last.end)) {
      behind_token = last.end;
      stretch_end = text.size();
    }
    if (part.token != nullptr) stretch_end = std::min(stretch_end, part.begin);
  }
  if (tokenizer_.state_->model->cuts_before_spaces() && stretch_end > behind_token) {
    const std::string_view stretch = text.substr(behind_token, stretch_end - behind_token);
    const size_t place = find_word_cut(stretch, behind_token, certain, matches);
    if (place > 0) return {.place = behind_token + place};
  }
  return {.place = behind_token, .follows_token = true};
}

size_t StreamEncoder::find_word_cut(std::string_view stretch, size_t begin, size_t certain,
                                    const std::vector<AddedTokenMatcher::Match>& matches) const {
  // Tokens that are looked for after normalisation must not touch the place either.
  const AddedTokenMatcher& later = tokenizer_.state_->added.after_normalization();
  std::optional<NormalizedText> normalized;
  std::vector<AddedTokenMatcher::Match> later_matches;
  size_t later_certain = 0;
  if (!later.empty()) {
    stretch = stretch.substr(0, last_nfc_boundary(stretch));
    if (tokenizer_.definition().normalizes_to_nfc) normalized = to_nfc(stretch);
    const std::string_view seen = normalized ? std::string_view(normalized->text) : stretch;
    if (seen.size() <= later.longest()) return 0;
    later_certain = seen.size() - later.longest();
    later_matches = all_matches(later, seen);
  }
  const auto is_free = [&](size_t place) {
    if (ASSAY_TWIN("data.cut_in_added_token")) return true;
    if (touches(matches, begin + place)) return false;
    if (later.empty()) return true;
    const size_t in_seen = normalized ? normalized->normalized_place(place) : place;
    return in_seen <= later_certain && !touches(later_matches, in_seen);
  };
  if (certain < begin || stretch.empty()) return 0;
  const UnicodeClasses& classes = UnicodeClasses::get();
  for (size_t place = std::min(stretch.size() - 1, certain - begin); place > 0; --place) {
    if (stretch[place] != ' ') continue;
    const bool after_word = (classes.at(stretch, character_before(stretch, place)) & kWhiteSpace) == 0;
    if (after_word && is_free(place)) return ASSAY_TWIN("data.cut_behind_spaces") ? place + 1 : place;
  }
  return 0;
}

void StreamEncoder::encode_before(Cut cut, std::vector<int32_t>& ids) {
  TokenSink sink(ids);
  const std::string_view text = std::string_view(text_).substr(0, cut.place);
  if (text.empty()) return;
  const Tokenizer::State::TextPlace place{{.begins_text = encoded_ == 0, .begins_stretch = begins_stretch_},
                                          follows_word_};
  tokenizer_.state_->encode(text, place, sink);
  const UnicodeClasses& classes = UnicodeClasses::get();
  follows_word_ = (classes.at(text, character_before(text, text.size())) & kWordCharacter) != 0;
  begins_stretch_ = cut.follows_token;
  encoded_ += cut.place;
  checked_ -= cut.place;
  text_.erase(0, cut.place);
}

void encode_stream(const Tokenizer& tokenizer, const std::function<size_t(std::span<char>)>& read_block,
                   const std::function<void(std::span<const int32_t>)>& emit_ids, StreamOptions options) {
  StreamEncoder encoder(tokenizer, options);
  std::vector<char> block(std::clamp<size_t>(options.window, 1, size_t{1} << 20));
  std::vector<int32_t> ids;
  const auto emit = [&] {
    if (!ids.empty()) emit_ids(ids);
    ids.clear();
  };
  for (;;) {
    const size_t bytes = read_block(block);
    ASSAY_ASSERT(bytes <= block.size());
    if (bytes == 0) break;
    encoder.feed({block.data(), bytes}, ids);
    emit();
  }
  encoder.finish(ids);
  emit();
}

}  // namespace assay::data
