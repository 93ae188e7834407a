// Unicode's canonical composition (NFC, UAX #15): "e" and a combining acute become "é". Text below U+0300, which is
// most text, costs a look at its bytes; other text is cut at the characters that nothing before them can change, and
// only a part in which something may change is decomposed, ordered and composed again, O(n log n) in the part. The data
// are utf8proc's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay::data {

struct NormalizedText {
  /// Bytes of the original that became others.
  struct Change {
    size_t begin = 0, end = 0;                        ///< in the original
    size_t normalized_begin = 0, normalized_end = 0;  ///< in `text`
  };

  std::string text;
  std::vector<Change> changes;

  /// The byte of the original that a byte of `text` comes from. Within a change, which has no finer order, the two
  /// advance together until one of them ends. Grows with `place`.
  size_t original_place(size_t place) const;
  /// The byte of `text` that a byte of the original becomes, of a change its first.
  size_t normalized_place(size_t place) const;
};

/// The NFC of valid UTF-8; nothing if the text is that already.
std::optional<NormalizedText> to_nfc(std::string_view text);

/// The last place in `text` before a character that no normalisation joins to what stands before it; 0 if there is
/// none. The NFC of the bytes before that place does not depend on what follows.
size_t last_nfc_boundary(std::string_view text);

}  // namespace assay::data
