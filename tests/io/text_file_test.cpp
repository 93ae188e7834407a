// What lets a text be read a second time: marks between pieces, stretches by offset, JSONL line by line; and files that
// somebody writes to meanwhile.
#include "assay/io/text_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "assay/core/hash.h"
#include "assay/core/twin.h"
#include "assay/io/json_lines.h"
#include "assay/io/lines.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/zstandard.h"

namespace assay::io {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

/// `count` pieces of 0 to 8,000 bytes, with characters of one to four bytes, between bars.
std::string text_of_pieces(size_t count) {
  std::string text = "\xEF\xBB\xBF";
  for (size_t i = 0; i < count; ++i) {
    for (size_t j = 0; j < i * 37 % 801; ++j) text += j % 3 == 0 ? "ж" : j % 3 == 1 ? "x" : "𝄞\n";
    text += "|";
  }
  return text;
}

class TextAgain : public testing::Test {
 protected:
  /// The text as a plain file and compressed.
  std::vector<std::string> both(const std::string& text) const {
    return {folder_.write("plain.txt", text), folder_.write("packed.txt.zst", zstandard(text))};
  }

  TemporaryFolder folder_;
};

TEST_F(TextAgain, AStreamHashesTheFileAsItLiesOnTheDisk) {
  for (const std::string& path : both(text_of_pieces(300))) {
    PieceReader reader(path, "|", ErrorKind::Data);
    while (reader.next()) {
    }
    EXPECT_EQ(reader.stream().digest(), hash_file(path));
    EXPECT_EQ(reader.stream().consumed(), fs::file_size(path));
    EXPECT_EQ(reader.stream().file(), state_of(path));
  }
}

// Every mark of a text of several chunks: another reader that goes on there hands out what the first one did after it.
TEST_F(TextAgain, AReaderGoesOnAtAMark) {
  for (const std::string& path : both(text_of_pieces(300))) {
    std::vector<StreamMark> marks;
    std::vector<std::string> all;
    PieceReader first(path, "|", ErrorKind::Data);
    marks.push_back(first.mark());
    while (const auto piece = first.next()) {
      all.emplace_back(*piece);
      marks.push_back(first.mark());
    }
    ASSERT_EQ(all.size(), 300u);
    for (size_t from = 0; from < marks.size(); from += 23) {
      PieceReader second(path, "|", ErrorKind::Data);
      second.skip_to(marks[from]);
      for (size_t i = from; i < all.size(); ++i) {
        const auto piece = second.next();
        ASSERT_TRUE(piece && *piece == all[i]) << path << " from piece " << from << " at piece " << i;
        EXPECT_EQ(second.number(), static_cast<int64_t>(i) + 1);
      }
      EXPECT_FALSE(second.next());
      EXPECT_EQ(second.stream().digest(), first.stream().digest());
    }
  }
}

TEST_F(TextAgain, AMarkOfAFileThatHasChangedIsRefused) {
  std::string text = text_of_pieces(300);
  for (const std::string& path : both(text)) {
    PieceReader first(path, "|", ErrorKind::Data);
    for (int i = 0; i < 200; ++i) first.next();
    const StreamMark mark = first.mark();
    std::string changed = text;
    changed.replace(changed.find("x"), 1, "y");  // long before the mark
    folder_.write(fs::path(path).filename(), path.ends_with(".zst") ? zstandard(changed) : changed);
    const auto refusal = [&] { return error_of([&] { PieceReader(path, "|", ErrorKind::Data).skip_to(mark); }); };
    EXPECT_THAT(refusal(), Refusal(ErrorKind::Data, path + "\": its first"));
    EXPECT_THAT(refusal(), Refusal(ErrorKind::Data, "but they have changed; put the file back as it was"));
    if (path.ends_with(".zst")) continue;  // the twin would read on in another frame
    const ScopedTwin twin("io.marks_of_another_file_fit");
    EXPECT_FALSE(refusal());
  }
}

TEST_F(TextAgain, AFileThatIsCutOrGrowsWhileItIsReadIsRefused) {
  const auto reads_on_after = [&](const auto& change) {
    const std::string path = folder_.write("x", "first|" + std::string(500'000, 'x'));
    PieceReader reader(path, "|", ErrorKind::Data);
    reader.next();
    change(path);
    return error_of([&] {
      while (reader.next()) {
      }
    });
  };
  const auto cut = [](const std::string& path) { fs::resize_file(path, fs::file_size(path) / 2); };
  const auto grow = [](const std::string& path) { std::ofstream(path, std::ios::app) << "more"; };
  EXPECT_THAT(reads_on_after(cut), Refusal(ErrorKind::Data, "must stay as it is while it is read, but it had "));
  EXPECT_THAT(reads_on_after(grow), Refusal(ErrorKind::Data, "wait until nothing writes to it"));
  EXPECT_FALSE(reads_on_after([](const std::string&) {}));
  const ScopedTwin twin("io.shrunken_file_is_whole");
  EXPECT_FALSE(reads_on_after(cut));
}

TEST_F(TextAgain, StretchesAreThoseOfTheUnpackedText) {
  const std::string text = text_of_pieces(200);
  for (const std::string& path : both(text)) {
    TextFile file(path, ErrorKind::Data);
    const std::vector<std::pair<size_t, size_t>> stretches{{3, 40}, {100'000, 5},         {150'000, 50'000},
                                                           {7, 3},  {text.size() - 4, 4}, {text.size(), 0}};
    for (const auto& [offset, bytes] : stretches) EXPECT_EQ(file.at(offset, bytes), text.substr(offset, bytes));
    EXPECT_THAT(error_of([&] { file.at(text.size() - 4, 5); }),
                Refusal(ErrorKind::Data, "must be at least " + std::to_string(text.size() + 1) + " bytes long"));
  }
}

class JsonLinesFile : public testing::Test {
 protected:
  std::optional<Error> refusal(const std::string& bytes, const std::string& name = "x.jsonl") const {
    return error_of([&] {
      JsonLines lines(folder_.write(name, bytes));
      while (const auto line = lines.next()) line->text("text");
    });
  }
  TemporaryFolder folder_;
};

TEST_F(JsonLinesFile, LinesKnowTheirPlace) {
  const std::string text = "\n{\"text\": \"é\"}\n \t\r\n{\"text\": \"b\"}\r\n\f\n{\"text\": \"c\"}";
  for (const std::string& bytes : {text, zstandard(text)}) {
    const std::string path = folder_.write("lines", bytes);
    JsonLines lines(path);
    TextFile again(path, ErrorKind::Data);
    std::vector<std::string> texts;
    std::vector<int64_t> numbers;
    while (const auto line = lines.next()) {
      texts.push_back(line->text("text"));
      numbers.push_back(lines.number());
      const std::string_view same = again.at(lines.offset(), lines.bytes());
      EXPECT_EQ(parse_json_line(same, "again", lines.number(), "").text("text"), texts.back());
    }
    EXPECT_THAT(texts, ElementsAre("é", "b", "c"));
    EXPECT_THAT(numbers, ElementsAre(2, 4, 6));
  }
}

TEST_F(JsonLinesFile, EveryFaultIsOneSentenceWithItsLine) {
  const std::string good = "{\"text\": \"a\"}\n";
  EXPECT_THAT(refusal(good + "{\"text\": \n"),
              Refusal(ErrorKind::Data, "x.jsonl\": the text must be JSON, but at line 2"));
  EXPECT_THAT(
      refusal(good + "{\"txet\": \"b\"}"),
      Refusal(ErrorKind::Data, "x.jsonl, line 2\": key \"text\" must be given, but it is missing; closest: \"txet\""));
  EXPECT_THAT(refusal(good + "{\"text\": null}"),
              Refusal(ErrorKind::Data, "key \"text\" must be given, but it is null; correct that line"));
  EXPECT_THAT(refusal(good + "{\"text\": 3}"),
              Refusal(ErrorKind::Data, "line 2\": \"text\" must be a text, but it is 3; correct that line"));
  EXPECT_THAT(refusal(good + "{\"text\": \"a\", \"text\": \"b\"}"),
              Refusal(ErrorKind::Data, "\"text\" stands there twice in line 2; remove one of them"));
  EXPECT_THAT(refusal(good + "[1]"), Refusal(ErrorKind::Data, "line 2\": it must be a JSON object"));
  EXPECT_THAT(refusal(good + "{\"text\": \"\xFF\"}"), Refusal(ErrorKind::Data, "must be UTF-8, but byte 24 (0xFF)"));
  EXPECT_THAT(refusal(""), Refusal(ErrorKind::Data, "must not be empty"));
  EXPECT_THAT(refusal(zstandard(good + good).substr(0, 20), "x.jsonl.zst"),
              Refusal(ErrorKind::Data, "whole Zstandard frames"));
  EXPECT_THAT(error_of([&] { JsonLines(folder_ / "y.jsonl"); }), Refusal(ErrorKind::Data, "closest: \"x.jsonl\""));
  EXPECT_FALSE(refusal(good + "\n" + good));
}

TEST_F(JsonLinesFile, AHugeLineIsRefusedBeforeItFillsMemory) {
  const std::string path = folder_.write("huge.jsonl", "{\"text\": \"");
  fs::resize_file(path, (uint64_t{1} << 28) + (1 << 20));  // zeros, on no disk
  EXPECT_THAT(error_of([&] { JsonLines(path).next(); }),
              Refusal(ErrorKind::Data, "is a line end the right separator?"));
}

}  // namespace
}  // namespace assay::io
