#include "assay/report/terminal.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>

namespace assay::report {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

const std::vector<RankedDocument> kRanking = {
    {1, "+0.0121", 0.0121, 99.9, 0, "Once upon a time\nthere was a little girl"},
    {2, "−0.0039", -0.0039, 0.1, 1633,
     "漢字 and a very long text that will not fit into the line at all, whatever one does"}};

TEST(Terminal, WidthCountsColumnsNotBytes) {
  EXPECT_EQ(display_width("abc"), 3);
  EXPECT_EQ(display_width("−0.5"), 4);
  EXPECT_EQ(display_width("漢字"), 4);
  EXPECT_EQ(display_width("e\u0301"), 1);
  EXPECT_EQ(display_width("🙂"), 2);
  EXPECT_EQ(display_width("\xff"), 1);
  EXPECT_EQ(display_width(""), 0);
}

TEST(Terminal, ColumnsAlignAndLinesFit) {
  const std::vector<std::string> lines = lines_of(ranking_table(kRanking, "nats", {.has_colour = false, .width = 60}));
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[1], "1  +0.0121        99.9         0  Once upon a time there wa…");
  for (const std::string& line : lines) {
    EXPECT_LE(display_width(line), 60) << line;
    EXPECT_EQ(line.find('\x1b'), std::string::npos);
    EXPECT_NE(line.back(), ' ');
  }
}

TEST(Terminal, ColourFollowsTheSign) {
  const std::string table = ranking_table(kRanking, "nats", {.has_colour = true, .width = 80});
  EXPECT_NE(table.find("\x1b[34m+0.0121\x1b[0m"), std::string::npos);
  EXPECT_NE(table.find("\x1b[33m−0.0039\x1b[0m"), std::string::npos);
}

TEST(Terminal, ControlCharactersOfTextsCannotReachTheTerminal) {
  const std::string table =
      ranking_table({{1, "+1", 1, 100, 0, "\x1b[31mred\x07"}}, "nats", {.has_colour = false, .width = 80});
  EXPECT_EQ(table.find('\x1b'), std::string::npos);
  EXPECT_EQ(table.find('\x07'), std::string::npos);
}

TEST(Terminal, APipeHasNoColour) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_FALSE(terminal_style(ends[1]).has_colour);
  setenv("COLUMNS", "133", 1);
  EXPECT_EQ(terminal_style(ends[1]).width, 133);
  setenv("COLUMNS", "wide", 1);
  EXPECT_EQ(terminal_style(ends[1]).width, 80);
  unsetenv("COLUMNS");
  close(ends[0]);
  close(ends[1]);
}

TEST(Terminal, HandlesNoRowsAndNarrowScreens) {
  EXPECT_EQ(lines_of(ranking_table({}, "nats", {})).size(), 1U);
  EXPECT_EQ(lines_of(ranking_table(kRanking, "nats", {.has_colour = false, .width = 1})).size(), 3U);
  EXPECT_EQ(terminal_table({"a", "b"}, {Align::Left, Align::Right}, {{{"x"}}}, {}), "a  b\nx\n");
}

}  // namespace
}  // namespace assay::report
