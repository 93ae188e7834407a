#include "assay/io/lines.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zstd.h>

#include <filesystem>
#include <thread>
#include <vector>

#include "assay/core/twin.h"
#include "assay/io/spool.h"
#include "assay/io/utf8.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"

namespace assay::io {
namespace {

std::string compressed(const std::string& text) {
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 3));
  return packed;
}

std::vector<std::string> pieces(const std::string& path, const std::string& separator) {
  PieceReader reader(path, separator, ErrorKind::Data);
  std::vector<std::string> all;
  while (const auto piece = reader.next()) all.emplace_back(*piece);
  return all;
}

class Lines : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
};

TEST_F(Lines, ALineEndsWithANewlineWhichTheLastOneMayLack) {
  const auto lines = [&](const std::string& text) {
    LineReader reader(folder_.write("x", text), ErrorKind::Data);
    std::vector<std::string> all;
    while (const auto line = reader.next()) all.emplace_back(*line);
    return all;
  };
  using List = std::vector<std::string>;
  EXPECT_EQ(lines("a\nb\n"), (List{"a", "b"}));
  EXPECT_EQ(lines("a\r\n\r\nb"), (List{"a", "", "b"}));
  EXPECT_EQ(lines("\n"), (List{""}));
  EXPECT_EQ(lines("\xEF\xBB\xBFtext"), (List{"text"}));
  EXPECT_EQ(lines("\xEF\xBB\xBF"), List{});
}

TEST_F(Lines, PiecesOfAnySizeAreFoundAcrossChunks) {
  const std::string separator = "<|endoftext|>";
  std::vector<std::string> expected;
  std::string text;
  for (size_t i = 0; i < 400; ++i) {  // 3 MB: every phase of the separator against the chunk's end
    expected.push_back(std::string(i * 37, static_cast<char>('a' + i % 26)) + "\n");
    text += expected.back() + separator;
  }
  EXPECT_EQ(pieces(folder_.write("plain", text), separator), expected);
  EXPECT_EQ(pieces(folder_.write("packed.txt", compressed(text)), separator), expected);
  EXPECT_EQ(pieces(folder_.write("frames", compressed(text) + compressed("end")), separator).size(),
            expected.size() + 1);
}

TEST_F(Lines, ASeparatorThatTwoChunksShareIsFound) {
  const std::string text = std::string((size_t{1} << 17) - 3, 'a') + "<|endoftext|>b";
  const std::string path = folder_.write("x", text);
  EXPECT_EQ(pieces(path, "<|endoftext|>").size(), 2u);
  const ScopedTwin twin("io.separator_split_by_chunks_missed");
  EXPECT_EQ(pieces(path, "<|endoftext|>").size(), 1u);
}

TEST_F(Lines, APieceKnowsItsNumberAndOffset) {
  PieceReader reader(folder_.write("x",
                                   "\xEF\xBB\xBF"
                                   "aa|b||c"),
                     "|", ErrorKind::Data);
  std::vector<uint64_t> offsets;
  while (reader.next()) offsets.push_back(reader.offset());
  EXPECT_EQ(offsets, (std::vector<uint64_t>{3, 6, 8, 9}));
  EXPECT_EQ(reader.number(), 4);
}

TEST_F(Lines, RefusesWhatIsNotTextOrNeverEnds) {
  EXPECT_THAT(error_of([&] { pieces(folder_.write("x", "abc\nd\xFFz\n"), "\n"); }),
              Refusal(ErrorKind::Data, "must be UTF-8, but byte 5 (0xFF) does not begin a character"));
  EXPECT_THAT(error_of([&] { pieces(folder_.write("x", ""), "\n"); }), Refusal(ErrorKind::Data, "must not be empty"));
  EXPECT_THAT(error_of([&] {
                PieceReader(folder_.write("x", std::string(300'000, 'a')), "\n", ErrorKind::Data, "", 100'000).next();
              }),
              Refusal(ErrorKind::Data, "at most 100000 bytes long"));
}

TEST_F(Lines, ADamagedOrShortenedArchiveIsOneSentence) {
  std::string text;
  for (int64_t i = 0; i < 50'000; ++i) text += std::to_string(i * i) + "\n";
  const std::string packed = compressed(text);
  for (const size_t size : {packed.size() - 1, packed.size() / 2, size_t{5}}) {
    EXPECT_THAT(error_of([&] { pieces(folder_.write("x.zst", packed.substr(0, size)), "\n"); }),
                Refusal(ErrorKind::Data, "must be whole Zstandard frames"));
  }
  std::string damaged = packed;
  damaged[20] = static_cast<char>(damaged[20] ^ 0x55);
  damaged[21] = static_cast<char>(damaged[21] ^ 0x55);
  const auto error = error_of([&] { pieces(folder_.write("x.zst", damaged), "\n"); });
  EXPECT_TRUE(error) << "two bytes of a block's head were changed";
}

TEST_F(Lines, AnArchiveByItsNameIsAnArchive) {
  const auto read = [&](const std::string& name, const std::string& bytes) {
    return pieces(folder_.write(name, bytes), "\n");
  };
  using List = std::vector<std::string>;
  EXPECT_EQ(read("a.zst", compressed("a\nb")), (List{"a", "b"}));
  const std::string skippable("\x51\x2A\x4D\x18\x02\0\0\0hi", 10);  // a frame of two bytes that hold no text
  EXPECT_EQ(read("b.zst", skippable + compressed("a\nb")), (List{"a", "b"}));
  for (const char* text : {"{\"text\": 1}", "x"}) {
    EXPECT_THAT(error_of([&] { read("c.jsonl.zst", text); }),
                Refusal(ErrorKind::Data, "a .zst file must be compressed with Zstandard, but this one is not"));
  }
  const ScopedTwin twin("io.any_file_is_zstandard");
  EXPECT_EQ(read("c.jsonl.zst", "x"), (List{"x"}));
}

TEST(Utf8, EveryCharacterIsValidAndEveryOtherFormIsNot) {
  for (uint32_t c = 0; c < 0x110000; c += c < 0x900 ? 1 : 97) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text;
    const auto tail = [&](int shift) { text += static_cast<char>(0x80 | (c >> shift & 0x3F)); };
    if (c < 0x80) {
      text += static_cast<char>(c);
    } else if (c < 0x800) {
      text += static_cast<char>(0xC0 | c >> 6), tail(0);
    } else if (c < 0x10000) {
      text += static_cast<char>(0xE0 | c >> 12), tail(6), tail(0);
    } else {
      text += static_cast<char>(0xF0 | c >> 18), tail(12), tail(6), tail(0);
    }
    EXPECT_FALSE(first_invalid_utf8(text)) << c;
    const std::string cut = "abc" + text.substr(0, text.size() - 1);
    EXPECT_EQ(first_invalid_utf8(cut), text.size() == 1 ? std::nullopt : std::optional<size_t>(3)) << c;
    EXPECT_EQ(first_invalid_utf8("12345678" + text + "\x80"), 8 + text.size()) << c;
  }
  const char* wrong[] = {"\xC0\x80",         "\xC1\xBF", "\xE0\x9F\xBF", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
                         "\xF5\x80\x80\x80", "\xFE",     "\x80",         "\xE2\x28\xA1",     "\xED\xBF\xBF"};
  for (const char* text : wrong) EXPECT_EQ(first_invalid_utf8(text), 0u) << text;
  const std::string_view surrogate = "\xED\xA0\x80";
  EXPECT_EQ(first_invalid_utf8(surrogate), 0u);
  const ScopedTwin twin("io.utf8_surrogates_allowed");
  EXPECT_FALSE(first_invalid_utf8(surrogate));
}

TEST(SpooledInput, KeepsAPipeAsAFileAndRemovesIt) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const std::string text(1'000'000, 'x');
  std::thread writer([&] {
    size_t done = 0;
    while (done < text.size()) done += static_cast<size_t>(::write(ends[1], text.data() + done, text.size() - done));
    ::close(ends[1]);
  });
  std::string path;
  {
    const SpooledInput input(ends[0]);
    path = input.path();
    EXPECT_EQ(read_bytes(path), text);
  }
  writer.join();
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_THAT(error_of([&] { SpooledInput again(ends[0]); }),
              Refusal(ErrorKind::Data, "reading \"standard input\": it must hold text, but it was empty"));
  ::close(ends[0]);
}

}  // namespace
}  // namespace assay::io
