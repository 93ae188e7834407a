// Corpora of Parquet against the same texts in JSONL: documents, ids, hashes and places, in files of every layout that
// the format offers; what is refused; and files that are damaged at every byte. They are written here by Arrow itself.
#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/io/memory.h>
#include <arrow/table.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>
#include <parquet/exception.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "assay/core/hash.h"
#include "assay/core/twin.h"
#include "assay/data/corpus.h"
#include "assay/data/corpus_reader.h"
#include "assay/data/parquet_rows.h"
#include "assay/data/token_shards.h"
#include "assay/data/tokenized_corpus.h"
#include "assay/data/tokenizer_definition.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"

namespace assay::data {
namespace {

using testing::ElementsAre;
using Texts = std::vector<std::optional<std::string>>;

template <class Builder, class Values>
std::shared_ptr<arrow::Array> array_of(const Values& values) {
  Builder builder;
  for (const auto& value : values) PARQUET_THROW_NOT_OK(value ? builder.Append(*value) : builder.AppendNull());
  std::shared_ptr<arrow::Array> array;
  PARQUET_THROW_NOT_OK(builder.Finish(&array));
  return array;
}

std::shared_ptr<arrow::Array> strings(const Texts& texts) {
  return array_of<arrow::StringBuilder>(texts);
}

using Columns = std::vector<std::pair<std::string, std::shared_ptr<arrow::Array>>>;

/// How a file is laid out.
struct Layout {
  int64_t rows_a_group = 1000;
  int64_t page_bytes = 1 << 20;
  bool has_dictionary = true;
  parquet::Encoding::type encoding = parquet::Encoding::PLAIN;
  parquet::Compression::type compression = parquet::Compression::UNCOMPRESSED;
  parquet::ParquetDataPageVersion pages = parquet::ParquetDataPageVersion::V1;
};

std::string parquet_file(const Columns& columns, const Layout& layout = {}) {
  std::vector<std::shared_ptr<arrow::Field>> fields;
  std::vector<std::shared_ptr<arrow::Array>> arrays;
  for (const auto& [name, array] : columns) {
    fields.push_back(arrow::field(name, array->type()));
    arrays.push_back(array);
  }
  parquet::WriterProperties::Builder properties;
  properties.enable_page_checksum()
      ->data_pagesize(layout.page_bytes)
      ->write_batch_size(4)
      ->compression(layout.compression);
  properties.data_page_version(layout.pages);
  if (!layout.has_dictionary) properties.disable_dictionary()->encoding(layout.encoding);
  PARQUET_ASSIGN_OR_THROW(auto sink, arrow::io::BufferOutputStream::Create());
  PARQUET_THROW_NOT_OK(parquet::arrow::WriteTable(*arrow::Table::Make(arrow::schema(fields), arrays),
                                                  arrow::default_memory_pool(), sink, layout.rows_a_group,
                                                  properties.build()));
  PARQUET_ASSIGN_OR_THROW(auto buffer, sink->Finish());
  return buffer->ToString();
}

std::string json_lines(const Texts& texts) {
  std::string lines;
  for (const auto& text : texts) lines += nlohmann::json{{"text", *text}}.dump() + "\n";
  return lines;
}

Texts many_texts(size_t count) {
  Texts texts;
  for (size_t i = 0; i < count; ++i) {
    std::string text = i % 7 == 3 ? "again" : "text " + std::to_string(i) + " ж" + std::string(i % 50, 'x');
    texts.emplace_back(i % 11 == 5 ? " \n" : text + "\n");
  }
  return texts;
}

std::vector<Layout> layouts() {
  return {{},
          {.rows_a_group = 7},
          {.rows_a_group = 64, .page_bytes = 100},
          {.rows_a_group = 100, .page_bytes = 300, .has_dictionary = false},
          {.rows_a_group = 100, .page_bytes = 300, .has_dictionary = false, .compression = parquet::Compression::ZSTD},
          {.has_dictionary = false, .encoding = parquet::Encoding::DELTA_LENGTH_BYTE_ARRAY},
          {.page_bytes = 500, .has_dictionary = false, .encoding = parquet::Encoding::DELTA_BYTE_ARRAY},
          {.rows_a_group = 90,
           .page_bytes = 200,
           .compression = parquet::Compression::SNAPPY,
           .pages = parquet::ParquetDataPageVersion::V2}};
}

TEST(Parquet, GivesTheDocumentsAndIdsOfJsonLinesInEveryLayout) {
  const TemporaryFolder folder;
  const Texts texts = many_texts(600);
  const Corpus expected = read_corpus(folder.write("x.jsonl", json_lines(texts)));
  const auto differs = [&](const Layout& layout) {
    Corpus found;
    const std::string path = folder.write("x.parquet", parquet_file({{"text", strings(texts)}}, layout));
    if (error_of([&] { found = read_corpus(path); })) return true;
    bool same = found.read == expected.read && found.dropped == expected.dropped &&
                found.content_hash() == expected.content_hash();
    for (size_t i = 0; same && i < expected.documents.size(); ++i) {
      const Document &one = found.documents[i], &other = expected.documents[i];
      same = one.text == other.text && one.id == other.id;
    }
    return !same;
  };
  for (const Layout& layout : layouts()) EXPECT_FALSE(differs(layout)) << layout.rows_a_group << layout.page_bytes;
  const ScopedTwin twin("data.last_row_group_left_out");
  for (const Layout& layout : layouts()) EXPECT_TRUE(differs(layout));
}

TEST(Parquet, ReadsLargeStringsAndNamedColumnsBesideOthers) {
  const TemporaryFolder folder;
  const std::vector<std::optional<int64_t>> numbers{1, std::nullopt, 3};
  const std::string path = folder.write(
      "x.parquet", parquet_file({{"number", array_of<arrow::Int64Builder>(numbers)},
                                 {"story", array_of<arrow::LargeStringBuilder>(Texts{"one", " ", "three"})},
                                 {"kind", strings({"a", "b", "c"})}}));
  const Corpus corpus = read_corpus(path, {.field = "story", .group_field = "kind"});
  ASSERT_EQ(corpus.documents.size(), 2u);
  EXPECT_EQ(corpus.documents[1].text, "three");
  EXPECT_EQ(corpus.documents[1].group, "c");
  EXPECT_EQ(corpus.documents[1].source, "x.parquet, row 3");
  EXPECT_EQ(corpus.dropped, 1);
  EXPECT_EQ(read_corpus(path, {.field = "kind"}).documents.size(), 3u);
}

TEST(Parquet, StandsInAFolderBesideOtherFiles) {
  const TemporaryFolder folder;
  folder.write("corpus/a.txt", "one<|endoftext|>two");
  folder.write("corpus/b.parquet", parquet_file({{"text", strings({"three", "one"})}}));
  folder.write("corpus/c.jsonl", "{\"text\": \"four\"}\n");
  const Corpus corpus = read_corpus(folder / "corpus");
  std::vector<std::string> sources;
  for (const Document& document : corpus.documents) sources.push_back(document.text + ": " + document.source);
  EXPECT_THAT(sources, ElementsAre("one: a.txt, document 0", "two: a.txt, document 1", "three: b.parquet, row 1",
                                   "one: b.parquet, row 2", "four: c.jsonl, line 1"));
  EXPECT_EQ(corpus.content_hash(), make_corpus({"one", "two", "three", "one", "four"}, "test").content_hash());
}

TEST(Parquet, FactsHashTheWholeFileAndUnderALimitWhatWasRead) {
  const TemporaryFolder folder;
  const Layout layout{.rows_a_group = 1000, .has_dictionary = false};
  Texts texts = many_texts(20'000);
  const std::string path = folder.write("x.parquet", parquet_file({{"text", strings(texts)}}, layout));
  CorpusReader all(find_corpus_files(path), {}), some(find_corpus_files(path), {.limit = 10});
  while (all.next()) {
  }
  while (some.next()) {
  }
  EXPECT_EQ(all.facts()[0].hash, hash_file(path));
  EXPECT_EQ(all.facts()[0].hashed_bytes, std::filesystem::file_size(path));
  EXPECT_EQ(all.consumed(), std::filesystem::file_size(path));
  EXPECT_TRUE(some.is_limited());
  EXPECT_LT(some.facts()[0].hashed_bytes, all.facts()[0].hashed_bytes / 2);
  EXPECT_LT(some.consumed(), all.consumed() / 1000);
}

// A reader that goes on from any document of another one hands out the rest of it, with the same ids and facts.
TEST(Parquet, GoesOnBehindAnyDocument) {
  const TemporaryFolder folder;
  const Texts texts = many_texts(90);
  const Layout layout{.rows_a_group = 20, .page_bytes = 100};
  const std::string path = folder.write("x.parquet", parquet_file({{"text", strings(texts)}}, layout));
  const CorpusFiles files = find_corpus_files(path);
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
  const auto goes_on = [&](size_t from) {
    CorpusReader second(files, {});
    second.go_on(seen[from].mark, seen[from].facts);
    for (size_t i = 0; i <= from; ++i) second.remember(seen[i].content);
    for (size_t i = from + 1; i < seen.size(); ++i) {
      const auto document = second.next();
      if (!document || document->text != seen[i].text || document->id != seen[i].id) return false;
    }
    return !second.next() && second.read() == first.read() && second.facts()[0].hash == first.facts()[0].hash;
  };
  for (size_t from = 0; from < seen.size(); ++from) EXPECT_TRUE(goes_on(from)) << from;
  {
    const ScopedTwin twin("data.rows_fetched_from_the_front");
    EXPECT_FALSE(goes_on(5));
  }
  Texts others = texts;
  others[0] = "other";
  folder.write("x.parquet", parquet_file({{"text", strings(others)}}, layout));
  const auto refusal = [&] { return error_of([&] { CorpusReader(files, {}).go_on(seen[60].mark, seen[60].facts); }); };
  EXPECT_THAT(refusal(), Refusal(ErrorKind::Data, "bytes must be those that were read before"));
  const ScopedTwin twin("data.marks_of_other_rows_fit");
  EXPECT_FALSE(refusal());
}

// Tokens in memory and in shards, which say of what kind their files are, and the texts fetched from their rows again.
TEST(Parquet, TokensAndTextsThatAreReadAgainAreThoseOfJsonLines) {
  const TemporaryFolder folder;
  const Texts texts = many_texts(300);
  const Layout layout{.rows_a_group = 80, .page_bytes = 200};
  const std::string path = folder.write("x.parquet", parquet_file({{"text", strings(texts)}}, layout));
  const std::string lines = folder.write("x.jsonl", json_lines(texts));
  TokenizerDefinition definition;
  definition.kind = TokenizerKind::WordLevel;
  definition.source = "three words";
  definition.vocabulary = {"text", "again", "ж", "<unk>"};
  definition.unknown = 3;
  definition.split_rules = {split::at_white_space()};
  const Tokenizer tokenizer(definition);
  const EncodeOptions encoding{.context = 12};
  const ShardJob job{.folder = folder / "shards",
                     .files = find_corpus_files(path),
                     .reading = {},
                     .encoding = encoding,
                     .shard_tokens = 200};
  EXPECT_GT(write_token_shards(job, tokenizer, silent_progress()).shards, 2);
  const TokenizedCorpus expected = tokenize_corpus(lines, {}, tokenizer, encoding);
  const TokenizedCorpus streamed = tokenize_corpus(path, {}, tokenizer, encoding);
  const TokenizedCorpus mapped = tokenize_corpus(folder / "shards", {}, tokenizer, {});
  for (const TokenizedCorpus* found : {&streamed, &mapped}) {
    EXPECT_EQ(found->encoded.dataset.content_hash(), expected.encoded.dataset.content_hash());
    EXPECT_EQ(found->documents.content_hash(), expected.documents.content_hash());
    for (int64_t i = 0; i < expected.documents.size(); ++i)
      EXPECT_EQ(found->documents.text(i), expected.documents.text(i));
    EXPECT_EQ(found->documents.source(1), "x.parquet, row 2");
  }
  std::vector<std::string> visited;
  mapped.documents.visit(std::vector<int64_t>{0, 3, 4, 120, 200},
                         [&](int64_t, std::string_view text) { visited.emplace_back(text); });
  ASSERT_EQ(visited.size(), 5u);
  EXPECT_EQ(visited[4], expected.documents.text(200));
  {
    const ScopedTwin twin("data.rows_fetched_from_the_front");
    EXPECT_THAT(error_of([&] { mapped.documents.text(7); }), Refusal(ErrorKind::Data, "must be the text"));
  }
  Texts others = texts;
  others[1] = "other";
  folder.write("x.parquet", parquet_file({{"text", strings(others)}}, layout));
  EXPECT_THAT(error_of([&] { mapped.documents.text(1); }), Refusal(ErrorKind::Data, "row 2 must be the text that was"));
  folder.write("x.parquet", parquet_file({{"text", strings({"text"})}}, layout));
  EXPECT_THAT(error_of([&] { mapped.documents.text(9); }),
              Refusal(ErrorKind::Data, "rows, as it had when it was read"));
}

TEST(Parquet, RowsAreFoundInAnyOrder) {
  const TemporaryFolder folder;
  const Texts texts = many_texts(300);
  const std::string path =
      folder.write("x.parquet", parquet_file({{"text", strings(texts)}}, {.rows_a_group = 100, .page_bytes = 200}));
  ParquetRows rows(path, path, {"text"});
  EXPECT_EQ(rows.rows(), 300);
  for (const int64_t row : {0, 1, 2, 50, 99, 100, 299, 298, 0, 150, 151, 160, 120}) {
    rows.go_to(row);
    ASSERT_TRUE(rows.next());
    EXPECT_EQ(rows.number(), row + 1);
    EXPECT_EQ(rows.text(0), *texts[static_cast<size_t>(row)]);
  }
  rows.go_to(300);
  EXPECT_FALSE(rows.next());
  EXPECT_THAT(error_of([&] { rows.go_to(301); }), Refusal(ErrorKind::Data, "must have at least 301 rows"));
}

TEST(Parquet, WhatIsNoColumnOfTextsIsRefused) {
  const TemporaryFolder folder;
  const auto refusal = [&](const std::string& bytes, const CorpusOptions& options = {}) {
    folder.write("x.parquet", bytes);
    return error_of([&] { read_corpus(folder / "x.parquet", options); });
  };
  const std::vector<std::optional<int64_t>> numbers{1, 2};
  const std::string file = parquet_file({{"text", strings({"a", "b"})},
                                         {"number", array_of<arrow::Int64Builder>(numbers)},
                                         {"bytes", array_of<arrow::BinaryBuilder>(Texts{"a", "b"})}});
  EXPECT_THAT(refusal(file, {.field = "txet"}),
              Refusal(ErrorKind::Data, "column \"txet\" must be there, but it is missing; closest: \"text\""));
  EXPECT_THAT(refusal(file, {.field = "number"}),
              Refusal(ErrorKind::Data, "column \"number\" must hold strings, but it holds values of type INT64; name"));
  EXPECT_THAT(refusal(file, {.field = "bytes"}), Refusal(ErrorKind::Data, "values of type BYTE_ARRAY"));
  EXPECT_THAT(refusal(file, {.group_field = "number"}), Refusal(ErrorKind::Data, "\"number\" must hold strings"));
  EXPECT_THAT(refusal(parquet_file({{"text", strings({"a"})}, {"text", strings({"b"})}})),
              Refusal(ErrorKind::Data, "\"text\" stands there twice"));
  EXPECT_THAT(refusal(parquet_file({{"text", strings({"a", "b", std::nullopt})}})),
              Refusal(ErrorKind::Data, "row 3 must have a text in column \"text\", but it is null; leave"));
  EXPECT_THAT(refusal(parquet_file({{"text", strings({"a", "caf\xe9 au lait"})}})),
              Refusal(ErrorKind::Data, "x.parquet, row 2\": the text must be UTF-8, but byte 3 (0xE9)"));
  EXPECT_THAT(refusal(parquet_file({{"text", strings({})}})), Refusal(ErrorKind::Data, "but it holds nothing"));
  EXPECT_THAT(refusal("PAR1"), Refusal(ErrorKind::Data, "must be a whole Parquet file, but Arrow says"));
  EXPECT_THAT(refusal("plain text, and not a little of it"), Refusal(ErrorKind::Data, "must be a whole Parquet file"));
  EXPECT_THAT(refusal(""), Refusal(ErrorKind::Data, "x.parquet"));
  EXPECT_THAT(error_of([&] { read_corpus(folder / "absent.parquet"); }), Refusal(ErrorKind::Data, "none of this name"));
  EXPECT_THAT(error_of([&] { read_corpus(folder.write("y.parquet.zst", "PAR1")); }),
              Refusal(ErrorKind::Data, "unzstd"));
}

/// What becomes of a damaged file: the same texts, a refusal, or other texts, which nobody must get.
enum class Outcome { Same, Refused, Wrong };

Outcome outcome_of(const TemporaryFolder& folder, const std::string& bytes, const std::string& expected_hash) {
  std::string hash;
  const auto error = error_of([&] { hash = read_corpus(folder.write("x.parquet", bytes)).content_hash(); });
  if (error) return error->kind() == ErrorKind::Data ? Outcome::Refused : Outcome::Wrong;
  return hash == expected_hash ? Outcome::Same : Outcome::Wrong;
}

TEST(Parquet, AFileCutAnywhereIsRefused) {
  const TemporaryFolder folder;
  const std::string file = parquet_file({{"text", strings(many_texts(40))}}, {.rows_a_group = 20});
  const std::string hash = read_corpus(folder.write("x.parquet", file)).content_hash();
  for (size_t size = 0; size < file.size(); ++size)
    EXPECT_EQ(outcome_of(folder, file.substr(0, size), hash), Outcome::Refused) << size;
}

// Pages carry checksums here; their headers and the footer have none. One field of the footer is told nowhere else in
// the file, and what it changes is not seen: whether a column may hold nulls.
TEST(Parquet, AFileWithAFlippedBitGivesTheSameTextsOrARefusal) {
  const TemporaryFolder folder;
  for (const Layout& layout : {Layout{.rows_a_group = 20}, Layout{.rows_a_group = 20, .has_dictionary = false}}) {
    const std::string file = parquet_file({{"text", strings(many_texts(40))}}, layout);
    const std::string hash = read_corpus(folder.write("x.parquet", file)).content_hash();
    const size_t nullable = file.find("\x15\x0c\x25\x02", file.rfind("schema")) + 2;  // type, then repetition
    size_t wrong = 0, refused = 0;
    for (size_t place = 0; place < file.size(); ++place) {
      if (place == nullable || place == nullable + 1) continue;
      for (const int bit : {0, 3, 7}) {
        std::string damaged = file;
        damaged[place] = static_cast<char>(damaged[place] ^ (1 << bit));
        const Outcome outcome = outcome_of(folder, damaged, hash);
        wrong += outcome == Outcome::Wrong;
        refused += outcome == Outcome::Refused;
      }
    }
    EXPECT_EQ(wrong, 0u);
    EXPECT_GT(refused, file.size());
  }
}

}  // namespace
}  // namespace assay::data
