#include "assay/data/corpus.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zstd.h>

#include <filesystem>

#include "assay/core/twin.h"
#include "tests/support/data.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"

namespace assay::data {
namespace {

using testing::ElementsAre;

std::vector<std::string> texts_of(const Corpus& corpus) {
  std::vector<std::string> result;
  for (const Document& document : corpus.documents) result.push_back(document.text);
  return result;
}

std::vector<std::string> sources(const Corpus& corpus) {
  std::vector<std::string> result;
  for (const Document& document : corpus.documents) result.push_back(document.source);
  return result;
}

TEST(ReadCorpus, TextIsSplitStrippedAndEmptyPiecesAreCounted) {
  const TemporaryFolder folder;
  const std::string path = folder.write("a.txt", "\n one\ntwo \n<|endoftext|>\n \t<|endoftext|>three<|endoftext|>\n");
  const Corpus corpus = read_corpus(path);
  EXPECT_THAT(texts_of(corpus), ElementsAre("one\ntwo", "three"));
  EXPECT_THAT(sources(corpus), ElementsAre("a.txt, document 0", "a.txt, document 2"));
  EXPECT_EQ(corpus.read, 4);
  EXPECT_EQ(corpus.dropped, 2);
  EXPECT_FALSE(corpus.is_limited);
  const ScopedTwin error("data.empty_documents_kept");
  EXPECT_NE(texts_of(read_corpus(path)), texts_of(corpus));
}

TEST(ReadCorpus, AnotherSeparatorAndALimit) {
  const TemporaryFolder folder;
  const std::string path = folder.write("a.txt", "one\n--\ntwo\n--\n\n--\nthree");
  const Corpus two = read_corpus(path, {.separator = "\n--\n", .limit = 2});
  EXPECT_THAT(texts_of(two), ElementsAre("one", "two"));
  EXPECT_TRUE(two.is_limited);
  const Corpus all = read_corpus(path, {.separator = "\n--\n", .limit = 3});
  EXPECT_THAT(texts_of(all), ElementsAre("one", "two", "three"));
  EXPECT_FALSE(all.is_limited);
}

TEST(ReadCorpus, JsonlGivesTheFieldOfEachLine) {
  const TemporaryFolder folder;
  const std::string lines =
      "{\"text\": \" a\\nb \", \"body\": \"x\"}\n\n{\"text\": \"\", \"body\": \"y\"}\r\n{\"text\": \"c\", \"body\": "
      "\"z\"}";
  const Corpus corpus = read_corpus(folder.write("a.jsonl", lines));
  EXPECT_THAT(texts_of(corpus), ElementsAre("a\nb", "c"));
  EXPECT_THAT(sources(corpus), ElementsAre("a.jsonl, line 1", "a.jsonl, line 4"));
  EXPECT_EQ(corpus.dropped, 1);
  EXPECT_THAT(texts_of(read_corpus(folder / "a.jsonl", {.field = "body"})), ElementsAre("x", "y", "z"));
}

TEST(ReadCorpus, CompressedFilesAreReadAsTheyAreNamed) {
  const TemporaryFolder folder;
  const std::string lines = "{\"text\": \"a\"}\n{\"text\": \"b\"}\n";
  std::string packed(ZSTD_compressBound(lines.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), lines.data(), lines.size(), 3));
  EXPECT_THAT(texts_of(read_corpus(folder.write("a.jsonl.zst", packed))), ElementsAre("a", "b"));
}

TEST(ReadCorpus, AFolderIsReadInTheOrderOfItsNames) {
  const TemporaryFolder folder;
  folder.write("b.txt", "second<|endoftext|>third");
  folder.write("c/d.jsonl", "{\"text\": \"fourth\"}");
  folder.write("a.txt", "first");
  folder.write(".hidden", "never");
  folder.write(".git/config", "never");
  const Corpus corpus = read_corpus(folder.path());
  EXPECT_THAT(texts_of(corpus), ElementsAre("first", "second", "third", "fourth"));
  EXPECT_THAT(sources(corpus).back(), "c/d.jsonl, line 1");
  EXPECT_THAT(texts_of(read_corpus(folder.path(), {.limit = 2})), ElementsAre("first", "second"));
}

/// Reads a file as standard input.
Corpus read_from_standard_input(const std::string& path) {
  const int saved = ::dup(STDIN_FILENO), file = ::open(path.c_str(), O_RDONLY);
  ::dup2(file, STDIN_FILENO);
  ::close(file);
  const auto restore = [&] {
    ::dup2(saved, STDIN_FILENO);
    ::close(saved);
  };
  try {
    Corpus corpus = read_corpus("-");
    restore();
    return corpus;
  } catch (...) {
    restore();
    throw;
  }
}

TEST(ReadCorpus, StandardInputIsTextOrJsonl) {
  const TemporaryFolder folder;
  EXPECT_THAT(texts_of(read_from_standard_input(folder.write("a", " a<|endoftext|>b"))), ElementsAre("a", "b"));
  EXPECT_THAT(texts_of(read_from_standard_input(folder.write("b", "\n{\"text\": \"a\"}\n"))), ElementsAre("a"));
  EXPECT_THAT(error_of([&] { read_from_standard_input(folder.write("c", "")); }),
              Refusal(ErrorKind::Data, "standard input"));
  EXPECT_THAT(error_of([&] { read_from_standard_input(folder.write("d", "na\xefve")); }),
              Refusal(ErrorKind::Data, "reading \"standard input\": the text must be UTF-8, but byte 2"));
}

TEST(ReadCorpus, AFieldIsOfJsonlLines) {
  const TemporaryFolder folder;
  const std::string plain = folder.write("a.txt", "one");
  const auto refusal = [&] { return error_of([&] { read_corpus(plain, {.field = "story"}); }); };
  EXPECT_THAT(refusal(),
              Refusal(ErrorKind::Usage, "reading \"" + plain + "\": the field \"story\" must be one of JSONL"));
  EXPECT_EQ(texts_of(read_corpus(plain, {.field = "text"})).size(), 1u) << "the default may be named";
  folder.write("b.jsonl", "{\"story\": \"two\"}");
  EXPECT_THAT(texts_of(read_corpus(folder.path(), {.field = "story"})), ElementsAre("one", "two"));
  EXPECT_THAT(error_of([&] { read_corpus(folder / "absent.txt", {.field = "story"}); }),
              Refusal(ErrorKind::Data, "there is none of this name"));
  const ScopedTwin twin("data.field_of_plain_text_ignored");
  EXPECT_FALSE(refusal());
}

TEST(ReadCorpus, MessagesNameThePathAsItWasTyped) {
  const TemporaryFolder folder;
  const std::string path = folder.write("a/b.jsonl", "{\"text\": \"x\"}\n{\"text\": 5}\n{\"text\": ");
  const std::string place = "reading \"" + path;
  const std::string number =
      place + ", line 2\": \"text\" must be a text, but it is 5; correct that line, or name another field";
  EXPECT_THAT(error_of([&] { read_corpus(path); }), Refusal(ErrorKind::Data, number));
  EXPECT_THAT(error_of([&] { read_corpus(folder.path()); }), Refusal(ErrorKind::Data, number));
  folder.write("a/b.jsonl", "{\"text\": ");
  EXPECT_THAT(error_of([&] { read_corpus(path); }),
              Refusal(ErrorKind::Data, place + "\": the text must be JSON, but at line 1"));
  std::filesystem::create_symlink("nowhere.txt", folder / "link.txt");
  EXPECT_THAT(error_of([&] { read_corpus(folder / "link.txt"); }), Refusal(ErrorKind::Data, "mend the link"));
}

TEST(ReadCorpus, BadFilesAreOneSentence) {
  const TemporaryFolder folder;
  const auto refuses = [&](const std::string& name, const std::string& bytes, const std::string& words) {
    EXPECT_THAT(error_of([&] { read_corpus(folder.write(name, bytes)); }), Refusal(ErrorKind::Data, words));
  };
  refuses("latin1.txt", "abc<|endoftext|>na\xefve", "18");  // byte 3 + 13 + 2
  refuses("nothing.txt", "", "nothing.txt");
  refuses("empty.txt", " \n<|endoftext|>\n", "2 empty ones");
  refuses("blank.txt", " \n", "it holds 1 empty one; name a file");
  refuses("text.jsonl.zst", "{\"text\": \"a\"}", "must be compressed with Zstandard");
  refuses("list.json", "[\"a\"]", "jq -c");
  refuses("broken.jsonl", "{\"text\": \"a\"}\n{\"text\": ", "line 2");
  refuses("other.jsonl", "{\"txet\": \"a\"}", "text");
  refuses("number.jsonl", "{\"text\": 3}", "line 1");
  refuses("array.jsonl", "[1]", "line 1");
  EXPECT_THAT(error_of([&] { read_corpus(folder / "latin2.txt"); }), Refusal(ErrorKind::Data, "latin1.txt"));
  const TemporaryFolder empty;
  EXPECT_THAT(error_of([&] { read_corpus(empty.path()); }), Refusal(ErrorKind::Data, "holds nothing"));
  EXPECT_THAT(error_of([&] { read_corpus(folder / "latin1.txt", {.separator = ""}); }),
              Refusal(ErrorKind::Usage, "separator"));
}

TEST(Corpus, IdsComeFromTextAndOccurrence) {
  const Corpus one = make_corpus({"a", "b", "a"}, "test"), other = make_corpus({"b", "a", " a ", "c"}, "test");
  EXPECT_NE(one.documents[0].id, one.documents[2].id);
  EXPECT_EQ(one.documents[0].id, other.documents[1].id);
  EXPECT_EQ(one.documents[2].id, other.documents[2].id);
  EXPECT_NE(one.content_hash(), other.content_hash());
  EXPECT_EQ(one.content_hash(), make_corpus({"a", "", "b", "a"}, "elsewhere").content_hash());
}

TEST(ReadCorpus, TinyStoriesAreAThousand) {
  const std::string path = data_path("text/tinystories_1000.txt");
  if (path.empty()) GTEST_SKIP() << no_data("text/tinystories_1000.txt");
  const Corpus corpus = read_corpus(path);
  EXPECT_EQ(corpus.documents.size(), 1000u);
  EXPECT_EQ(read_corpus(path, {.limit = 40}).documents.back().id, corpus.documents[39].id);
}

}  // namespace
}  // namespace assay::data
