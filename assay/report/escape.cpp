#include "assay/report/escape.h"

#include <fmt/format.h>

#include "assay/core/twin.h"

namespace assay::report {
namespace {

/// Characters without a shape of their own that change how their neighbours are read.
bool is_invisible(char32_t c) {
  return (c >= 0x80 && c < 0xA0) || c == 0xAD || c == 0x061C || c == 0x180E || c == 0x200B || c == 0x200E ||
         c == 0x200F || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF ||
         (c >= 0xFFF9 && c <= 0xFFFB) || (c >= 0xE0000 && c <= 0xE007F);
}

/// U+2400 … U+2421: the symbols for control characters.
std::string control_symbol(char32_t c) {
  const unsigned symbol = c == 0x7F ? 0x2421U : 0x2400U + static_cast<unsigned>(c);
  return {static_cast<char>(0xE0U | (symbol >> 12)), static_cast<char>(0x80U | ((symbol >> 6) & 0x3FU)),
          static_cast<char>(0x80U | (symbol & 0x3FU))};
}

}  // namespace

CodePoint code_point_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(at);
  if (lead < 0x80) return {lead, 1, true};
  const int bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || at + static_cast<std::size_t>(bytes) > text.size()) return {lead, 1, false};
  char32_t value = lead & (0x7FU >> bytes);
  for (int i = 1; i < bytes; ++i) {
    const unsigned next = byte(at + static_cast<std::size_t>(i));
    if ((next & 0xC0U) != 0x80U) return {lead, 1, false};
    value = (value << 6) | (next & 0x3FU);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < kSmallest[bytes] || value > 0x10FFFF || is_surrogate) return {lead, 1, false};
  return {value, bytes, true};
}

std::string visible(std::string_view text, Breaks breaks) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = code_point_at(text, at);
    const std::string_view bytes = text.substr(at, static_cast<std::size_t>(c.bytes));
    at += bytes.size();
    if (!c.is_valid) {
      out += fmt::format("⟨{:02x}⟩", static_cast<unsigned>(c.value));
    } else if (c.value == '\n' || c.value == '\t') {
      out += breaks == Breaks::Keep ? bytes : c.value == '\n' ? "⏎" : "⇥";
    } else if (c.value < 0x20 || c.value == 0x7F) {
      out += control_symbol(c.value);
    } else if (is_invisible(c.value)) {
      out += fmt::format("⟨U+{:04X}⟩", static_cast<unsigned>(c.value));
    } else {
      out += bytes;
    }
  }
  return out;
}

std::string shortened(std::string_view text, std::size_t most) {
  std::size_t at = 0;
  for (std::size_t characters = 0; at < text.size(); ++characters) {
    if (characters == most) return std::string(text.substr(0, at)) + "…";
    at += static_cast<std::size_t>(code_point_at(text, at).bytes);
  }
  return std::string(text);
}

std::string escape(std::string_view text, Breaks breaks) {
  std::string out;
  for (const char c : visible(text, breaks)) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += ASSAY_TWIN("report.markup_let_through") ? "<" : "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

}  // namespace assay::report
