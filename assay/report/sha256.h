// SHA-256 (FIPS 180-4), for the hash that lets a page's own script, and no other, pass its content security policy.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace assay::report {

std::array<std::uint8_t, 32> sha256(std::string_view bytes);

/// Standard base 64 with padding.
std::string base64(const std::array<std::uint8_t, 32>& bytes);

}  // namespace assay::report
