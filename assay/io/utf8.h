// Is it UTF-8? (RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF.) One pass, eight ASCII bytes a
// step.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "assay/io/source.h"

namespace assay::io {

/// Where the first character that is not valid begins; nothing where the text is UTF-8.
std::optional<size_t> first_invalid_utf8(std::string_view text) noexcept;

/// Refuses a text that is not UTF-8 with the byte's value and its offset in the whole source, of which `text` begins at
/// `offset`.
void require_utf8(std::string_view text, uint64_t offset, const Source& source);

}  // namespace assay::io
