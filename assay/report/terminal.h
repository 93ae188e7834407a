// Tables for the terminal: columns aligned by what the terminal shows, not by bytes; colour only where someone looks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace assay::report {

enum class Align { Left, Right };
enum class Tone { Plain, Supports, Opposes, Faint };

struct Cell {
  std::string text;
  Tone tone = Tone::Plain;
};

/// What the output can show.
struct TerminalStyle {
  bool has_colour = false;
  int width = 80;
};

/// Style of a file descriptor: colour only for a terminal without NO_COLOR and with TERM other than "dumb"; the width
/// is that of the terminal, else COLUMNS, else 80.
TerminalStyle terminal_style(int descriptor);

/// Columns that the terminal needs for UTF-8 text: 2 for wide characters, 0 for combining ones, 1 for each broken byte.
int display_width(const std::string& text);

/// Lines without trailing blanks; the last column is cut with "…" where a line would be wider than the terminal.
/// `rows` may be shorter than `header`. Control characters are shown as symbols.
std::string terminal_table(const std::vector<std::string>& header, const std::vector<Align>& align,
                           const std::vector<std::vector<Cell>>& rows, const TerminalStyle& style);

/// One line of a ranking.
struct RankedDocument {
  int rank = 0;
  std::string score;        ///< as it is to be printed, sign included
  double signed_score = 0;  ///< decides the colour
  double percentile = 0;    ///< 0 to 100
  std::int64_t index = 0;
  std::string text;        ///< the whole text; the excerpt is cut here
  std::string label = {};  ///< what it is called where that is not its index
};

/// Ranked documents with score, percentile and the start of the text.
std::string ranking_table(const std::vector<RankedDocument>& documents, const std::string& score_title,
                          const TerminalStyle& style);

}  // namespace assay::report
