// Texts of corpora and models are hostile. Whatever comes from outside passes through here on its way into a page:
// markup characters become entities, and what a reader could not see (control characters, marks that turn the writing
// direction, invisible characters, broken UTF-8) becomes a visible symbol. Linear in the text.
#pragma once

#include <string>
#include <string_view>

namespace assay::report {

enum class Breaks {
  Keep,  ///< newlines and tabs stay: text to read
  Show,  ///< they become ⏎ and ⇥: one token, one attribute
};

/// The text with nothing hidden in it, not yet escaped: C0 controls as ␀ ␁ …, others and direction marks as ⟨U+202E⟩,
/// bytes that are not UTF-8 as ⟨ff⟩.
std::string visible(std::string_view text, Breaks breaks = Breaks::Keep);

/// `visible`, then & < > " as entities: safe as content and in double-quoted attributes.
std::string escape(std::string_view text, Breaks breaks = Breaks::Keep);

/// At most `most` characters, with "…" for what was cut; never cuts inside a character.
std::string shortened(std::string_view text, std::size_t most);

/// One code point of UTF-8.
struct CodePoint {
  char32_t value = 0;
  int bytes = 1;  ///< how many bytes it takes; 1 for a byte that is not UTF-8
  bool is_valid = false;
};

/// Reads the code point that begins at `at`; refuses overlong forms, surrogates and values above U+10FFFF.
CodePoint code_point_at(std::string_view text, std::size_t at);

}  // namespace assay::report
