#include "assay/data/space_mark.h"

#include "assay/core/twin.h"
#include "assay/data/byte_fallback.h"

namespace assay::data {

bool puts_space(AddedSpace added, StretchPlace place, std::string_view stretch) {
  if (!place.begins_stretch) return false;
  const bool is_missing = stretch.empty() || mark_length(stretch, 0) == 0;
  switch (added) {
    case AddedSpace::EveryStretch: return true;
    case AddedSpace::WhereMissing: return is_missing || ASSAY_TWIN("data.space_doubled");
    case AddedSpace::FirstStretch: return is_missing && (place.begins_text || ASSAY_TWIN("data.space_everywhere"));
    case AddedSpace::Never: return false;
  }
  return false;
}

size_t word_end(std::string_view text, size_t begin, WordCuts cuts) {
  if (cuts == WordCuts::None) return text.size();
  size_t length = mark_length(text, begin);
  bool after_mark = length > 0;
  for (size_t at = begin + (after_mark ? length : 1); at < text.size(); at += after_mark ? length : 1) {
    length = mark_length(text, at);
    if (length > 0 && (cuts == WordCuts::BeforeMarks || !after_mark)) return at;
    after_mark = length > 0;
  }
  return text.size();
}

std::string text_of_marked_token(std::string_view token) {
  if (const int byte = byte_of_fallback_token(token); byte >= 0) return {static_cast<char>(byte)};
  std::string text;
  for (size_t i = 0; i < token.size();) {
    const bool is_space = token.substr(i).starts_with(kSpaceMark);
    text += is_space ? ' ' : token[i];
    i += is_space ? kSpaceMark.size() : 1;
  }
  return text;
}

}  // namespace assay::data
