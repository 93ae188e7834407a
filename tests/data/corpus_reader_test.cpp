// Documents that stream by: the same as those in memory, whatever they come from; where they stand, so that they can be
// fetched again; and what is refused or passed over on the way.
#include "assay/data/corpus_reader.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "assay/core/twin.h"
#include "assay/data/corpus.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/zstandard.h"

namespace assay::data {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

/// A folder with every kind of file: text, JSONL, both compressed, in folders, with empty documents and repeated ones.
void write_mixed_corpus(const TemporaryFolder& folder) {
  folder.write("corpus/a.txt", "one<|endoftext|> \n<|endoftext|>naïve café<|endoftext|>one");
  folder.write("corpus/b/c.jsonl", "{\"text\": \" two\\nlines \"}\n\n{\"text\": \"\"}\n{\"text\": \"one\"}\n");
  folder.write("corpus/b/d.jsonl.zst", zstandard("{\"text\": \"packed ж\"}\n{\"text\": \"one\"}"));
  folder.write("corpus/e.md.zst", zstandard("in zstd<|endoftext|>𝄞 last"));
}

TEST(CorpusReader, AllKindsOfFilesGiveWhatTheyGiveInMemory) {
  const TemporaryFolder folder;
  write_mixed_corpus(folder);
  CorpusReader reader(find_corpus_files(folder / "corpus"), {});
  std::vector<std::string> texts, sources;
  std::vector<ExampleId> ids;
  while (const auto document = reader.next()) {
    texts.emplace_back(document->text);
    ids.push_back(document->id);
    sources.push_back(source_name(reader.files().files[document->place.file], document->place.number));
  }
  EXPECT_THAT(texts,
              ElementsAre("one", "naïve café", "one", "two\nlines", "one", "packed ж", "one", "in zstd", "𝄞 last"));
  EXPECT_THAT(sources, ElementsAre("a.txt, document 0", "a.txt, document 2", "a.txt, document 3", "b/c.jsonl, line 1",
                                   "b/c.jsonl, line 4", "b/d.jsonl.zst, line 1", "b/d.jsonl.zst, line 2",
                                   "e.md.zst, document 0", "e.md.zst, document 1"));
  EXPECT_EQ(reader.read(), 11);
  EXPECT_EQ(reader.dropped(), 2);
  const Corpus made = make_corpus(texts, "test");
  for (size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(ids[i], made.documents[i].id) << texts[i];
  EXPECT_EQ(read_corpus(folder / "corpus").content_hash(), made.content_hash());
}

// Ids of earlier versions, kept: a text's hash and its occurrence.
TEST(CorpusReader, IdsAreThoseOfEarlierVersions) {
  const Corpus corpus = make_corpus({"a", "b", "a"}, "test");
  for (size_t i = 0; i < 3; ++i) {
    const Document& document = corpus.documents[i];
    EXPECT_EQ(document.id, Hasher().add(hash64(document.text)).add(uint64_t{i == 2 ? 1u : 0u}).digest64());
  }
}

TEST(CorpusReader, CountsOccurrencesOfAMillionContents) {
  OccurrenceIds ids;
  std::vector<ExampleId> first;
  for (uint64_t i = 0; i < 100'000; ++i) first.push_back(ids.next(hash64("x", i)));
  for (uint64_t i = 0; i < 100'000; i += 997) {
    const uint64_t content = hash64("x", i);
    EXPECT_EQ(first[i], Hasher().add(content).add(uint64_t{0}).digest64());
    EXPECT_EQ(ids.next(content), Hasher().add(content).add(uint64_t{1}).digest64());
  }
  EXPECT_EQ(ids.next(0), Hasher().add(uint64_t{0}).add(uint64_t{0}).digest64()) << "zero is a content like any other";
  EXPECT_EQ(ids.next(0), Hasher().add(uint64_t{0}).add(uint64_t{1}).digest64());
}

// A reader that goes on from any document of another one hands out the rest of it, with the same ids and facts.
TEST(CorpusReader, GoesOnBehindAnyDocument) {
  const TemporaryFolder folder;
  write_mixed_corpus(folder);
  const CorpusFiles files = find_corpus_files(folder / "corpus");
  struct Seen {
    std::string text;
    ExampleId id;
    uint64_t content;
    CorpusMark mark;
    std::vector<FileFacts> facts;
  };
  std::vector<Seen> seen;
  CorpusReader first(files, {});
  while (const auto document = first.next())
    seen.push_back({std::string(document->text), document->id, document->content, first.mark(), first.facts()});
  for (size_t from = 0; from < seen.size(); ++from) {
    CorpusReader second(files, {});
    second.go_on(seen[from].mark, seen[from].facts);
    for (size_t i = 0; i <= from; ++i) second.remember(seen[i].content);
    for (size_t i = from + 1; i < seen.size(); ++i) {
      const auto document = second.next();
      ASSERT_TRUE(document) << from;
      EXPECT_EQ(document->text, seen[i].text);
      EXPECT_EQ(document->id, seen[i].id);
    }
    EXPECT_FALSE(second.next());
    EXPECT_EQ(second.read(), first.read());
    EXPECT_EQ(second.dropped(), first.dropped());
    ASSERT_EQ(second.facts().size(), 4u);
    for (size_t file = 0; file < 4; ++file) EXPECT_EQ(second.facts()[file].hash, first.facts()[file].hash);
  }
  folder.write("corpus/a.txt", "two<|endoftext|> \n<|endoftext|>naïve café<|endoftext|>one");  // finished by then
  const auto refusal = [&] {
    return error_of([&] { CorpusReader(files, {}).go_on(seen.back().mark, seen.back().facts); });
  };
  EXPECT_THAT(refusal(), Refusal(ErrorKind::Data, "a.txt\": the file must be the one that was read before"));
  const ScopedTwin twin("data.changed_files_go_on");
  EXPECT_FALSE(refusal());
}

TEST(CorpusFiles, SayWhatTheyPassOver) {
  const TemporaryFolder folder;
  folder.write("corpus/a.txt", "text");
  folder.write("corpus/.hidden", "never");
  folder.write("corpus/.git/config", "never");
  folder.write("elsewhere/b.txt", "linked");
  fs::create_symlink("..", folder / "corpus/loop");
  fs::create_symlink("nowhere.txt", folder / "corpus/broken.txt");
  fs::create_symlink("../elsewhere/b.txt", folder / "corpus/link.txt");
  ASSERT_EQ(::mkfifo((folder / "corpus/pipe").c_str(), 0600), 0);
  const CorpusFiles files = find_corpus_files(folder / "corpus");
  std::vector<std::string> origins;
  for (const CorpusFile& file : files.files) origins.push_back(file.origin);
  EXPECT_THAT(origins, ElementsAre("a.txt", "link.txt"));
  EXPECT_THAT(files.passed_over, UnorderedElementsAre(".hidden (hidden)", ".git (hidden)", "pipe (no plain file)",
                                                      "broken.txt (a link that leads nowhere)",
                                                      "loop (a link to a folder, which may lead in a circle)"));
  EXPECT_EQ(read_corpus(folder / "corpus/").documents.size(), 2u);
}

TEST(CorpusFiles, AFolderThatCannotBeListedIsOneSentence) {
  const TemporaryFolder folder;
  folder.write("corpus/a.txt", "text");
  folder.write("corpus/b/c.txt", "text");
  fs::permissions(folder / "corpus/b", fs::perms::none);
  const auto error = error_of([&] { find_corpus_files(folder / "corpus"); });
  fs::permissions(folder / "corpus/b", fs::perms::owner_all);
  if (::geteuid() == 0) {
    EXPECT_FALSE(error) << "root may list everything";
  } else {
    EXPECT_THAT(error, Refusal(ErrorKind::Data, "everything below it must be readable"));
  }
}

TEST(CorpusFiles, OtherKindsAreRefusedWithWhatToDo) {
  const TemporaryFolder folder;
  const auto refusal = [&](const std::string& name) {
    folder.write(name, "PAR1");
    return error_of([&] { read_corpus(folder / name); });
  };
  EXPECT_THAT(refusal("x.arrow"), Refusal(ErrorKind::Data, "but this is an Arrow file"));
  EXPECT_THAT(refusal("x.jsonl.gz"), Refusal(ErrorKind::Data, "compressed with gzip; unpack it with gunzip"));
  EXPECT_THAT(refusal("x.json"), Refusal(ErrorKind::Data, "jq -c"));
  EXPECT_THAT(refusal("x.tar"), Refusal(ErrorKind::Data, "tar -xf"));
  for (const char* name : {"absent.jsonl.gz", "absent.arrow", "absent.parquet", "absent.parquet.zst"})
    EXPECT_THAT(error_of([&] { read_corpus(folder / name); }), Refusal(ErrorKind::Data, "there is none of this name"));
  const ScopedTwin twin("data.any_file_is_text");
  EXPECT_FALSE(refusal("x.arrow"));
}

TEST(CorpusReader, FactsTellHowFarAFileWasRead) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 60'000; ++i) text += "document " + std::to_string(i) + "<|endoftext|>";
  const std::string path = folder.write("a.txt", text);
  CorpusReader all(find_corpus_files(path), {}), some(find_corpus_files(path), {.limit = 10});
  while (all.next()) {
  }
  while (some.next()) {
  }
  EXPECT_EQ(all.facts()[0].hash, hash_file(path));
  EXPECT_EQ(all.facts()[0].hashed_bytes, text.size());
  EXPECT_TRUE(some.is_limited());
  EXPECT_LT(some.facts()[0].hashed_bytes, text.size() / 2);
  EXPECT_EQ(some.facts()[0].state.bytes, text.size());
  EXPECT_NE(some.facts()[0].hash, all.facts()[0].hash);
}

}  // namespace
}  // namespace assay::data
