// The pre-tokenizer patterns of the common families, matched by hand instead of by PCRE2: where the piece that begins
// at a place ends. Each is the pattern of the same name in pretokenize.h word for word, for every text; a test compares
// the two on made-up Unicode. A piece costs some nanoseconds and a look at a table for each character.
#pragma once

#include <cstddef>
#include <string_view>

#include "assay/data/unicode_classes.h"

namespace assay::data {

/// `text` is valid UTF-8 and `begin` < its size. The end is beyond `begin`.
size_t gpt2_piece_end(std::string_view text, size_t begin, const UnicodeClasses& classes);
/// `digits`: the longest piece of numeric characters, 3 for Llama 3 and 1 for Qwen 2.
size_t llama3_piece_end(std::string_view text, size_t begin, size_t digits, const UnicodeClasses& classes);
/// One numeric character, or everything up to the next one.
size_t digit_or_rest_end(std::string_view text, size_t begin, const UnicodeClasses& classes);

}  // namespace assay::data
