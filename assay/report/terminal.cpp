#include "assay/report/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "assay/core/error.h"
#include "assay/report/escape.h"
#include "assay/report/numbers.h"

namespace assay::report {
namespace {

constexpr std::string_view kGap = "  ";
constexpr int kNarrowest = 20;  // columns left to the last cell, however narrow the terminal

bool is_combining(char32_t c) {
  return (c >= 0x0300 && c <= 0x036F) || (c >= 0x0483 && c <= 0x0489) || (c >= 0x0591 && c <= 0x05BD) ||
         (c >= 0x064B && c <= 0x065F) || (c >= 0x0E34 && c <= 0x0E3A) || (c >= 0x1AB0 && c <= 0x1AFF) ||
         (c >= 0x1DC0 && c <= 0x1DFF) || (c >= 0x200B && c <= 0x200D) || (c >= 0x20D0 && c <= 0x20FF) ||
         (c >= 0xFE00 && c <= 0xFE0F) || (c >= 0xFE20 && c <= 0xFE2F);
}

/// East Asian wide and fullwidth, and the pictures that terminals draw two columns wide.
bool is_wide(char32_t c) {
  return (c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0x303E) || (c >= 0x3041 && c <= 0x33FF) ||
         (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0xA000 && c <= 0xA4CF) ||
         (c >= 0xAC00 && c <= 0xD7A3) || (c >= 0xF900 && c <= 0xFAFF) || (c >= 0xFE30 && c <= 0xFE6F) ||
         (c >= 0xFF00 && c <= 0xFF60) || (c >= 0xFFE0 && c <= 0xFFE6) || (c >= 0x1F300 && c <= 0x1F64F) ||
         (c >= 0x1F680 && c <= 0x1F6FF) || (c >= 0x1F900 && c <= 0x1F9FF) || (c >= 0x20000 && c <= 0x3FFFD);
}

int width_of(const CodePoint& c) {
  return !c.is_valid ? 1 : is_combining(c.value) ? 0 : is_wide(c.value) ? 2 : 1;
}

/// The longest start of the text that is at most `columns` wide, with "…" where something was cut.
std::string cut(const std::string& text, int columns) {
  if (display_width(text) <= columns) return text;
  std::size_t at = 0;
  for (int used = 1; at < text.size();) {  // one column for the "…"
    const CodePoint c = code_point_at(text, at);
    used += width_of(c);
    if (used > columns) break;
    at += static_cast<std::size_t>(c.bytes);
  }
  return text.substr(0, at) + "…";
}

std::string coloured(const std::string& text, Tone tone, const TerminalStyle& style) {
  if (!style.has_colour || tone == Tone::Plain || text.empty()) return text;
  const std::string_view code = tone == Tone::Supports ? "34" : tone == Tone::Opposes ? "33" : "2";
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

std::string padded(const std::string& text, int columns, Align align, Tone tone, const TerminalStyle& style) {
  const std::string blanks(static_cast<std::size_t>(std::max(0, columns - display_width(text))), ' ');
  const std::string shown = coloured(text, tone, style);
  return align == Align::Right ? blanks + shown : shown + blanks;
}

std::string without_trailing_blanks(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

/// One line of readable text: blanks and line ends become single blanks.
std::string one_line(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool is_blank = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (!is_blank) out += c;
    if (is_blank && !out.empty() && out.back() != ' ') out += ' ';
  }
  return without_trailing_blanks(out);
}

}  // namespace

TerminalStyle terminal_style(int descriptor) {
  TerminalStyle style;
  const bool is_terminal = isatty(descriptor) == 1;
  const char* no_colour = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  style.has_colour =
      is_terminal && (no_colour == nullptr || *no_colour == '\0') && term != nullptr && std::strcmp(term, "dumb") != 0;
  winsize size{};
  if (is_terminal && ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    style.width = size.ws_col;
  } else if (const char* columns = std::getenv("COLUMNS"); columns != nullptr) {
    int width = 0;
    const auto [end, error] = std::from_chars(columns, columns + std::strlen(columns), width);
    if (error == std::errc() && *end == '\0' && width > 0) style.width = width;
  }
  return style;
}

int display_width(const std::string& text) {
  int width = 0;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = code_point_at(text, at);
    width += width_of(c);
    at += static_cast<std::size_t>(c.bytes);
  }
  return width;
}

std::string terminal_table(const std::vector<std::string>& header, const std::vector<Align>& align,
                           const std::vector<std::vector<Cell>>& rows, const TerminalStyle& style) {
  ASSAY_ASSERT(header.size() == align.size());
  std::vector<std::vector<Cell>> lines(1);
  for (const std::string& title : header) lines[0].push_back({title, Tone::Faint});
  lines.insert(lines.end(), rows.begin(), rows.end());
  std::vector<int> widths(header.size(), 0);
  for (auto& line : lines) {
    ASSAY_ASSERT(line.size() <= header.size());
    line.resize(header.size());
    for (std::size_t i = 0; i < line.size(); ++i) {
      line[i].text = visible(line[i].text, Breaks::Show);
      widths[i] = std::max(widths[i], display_width(line[i].text));
    }
  }
  int before_last = 0;
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) before_last += widths[i] + static_cast<int>(kGap.size());
  if (!widths.empty()) widths.back() = std::min(widths.back(), std::max(kNarrowest, style.width - before_last));

  std::string out;
  for (const auto& line : lines) {
    std::string text;
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (i > 0) text += kGap;
      text += padded(cut(line[i].text, widths[i]), widths[i], align[i], line[i].tone, style);
    }
    out += without_trailing_blanks(text) + "\n";
  }
  return out;
}

std::string ranking_table(const std::vector<RankedDocument>& documents, const std::string& score_title,
                          const TerminalStyle& style) {
  std::vector<std::vector<Cell>> rows;
  for (const RankedDocument& document : documents) {
    const Tone tone = document.signed_score > 0   ? Tone::Supports
                      : document.signed_score < 0 ? Tone::Opposes
                                                  : Tone::Plain;
    rows.push_back({{std::to_string(document.rank), Tone::Faint},
                    {document.score, tone},
                    {fixed(document.percentile, 1)},
                    {labelled(document.label, document.index)},
                    {one_line(document.text)}});
  }
  return terminal_table({"", score_title, "percentile", "document", "text"},
                        {Align::Right, Align::Right, Align::Right, Align::Right, Align::Left}, rows, style);
}

}  // namespace assay::report
