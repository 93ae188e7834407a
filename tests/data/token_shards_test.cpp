// Token shards: what is read from them is what text gives in memory, to the bit; a run that was killed ends in the same
// bytes; what does not fit, or has changed, is refused by its name.
#include "assay/data/token_shards.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "assay/core/philox.h"
#include "assay/core/twin.h"
#include "assay/data/corpus.h"
#include "assay/data/shard_estimate.h"
#include "assay/data/tokenizer_definition.h"
#include "tests/support/data.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/zstandard.h"

namespace assay::data {
namespace {

namespace fs = std::filesystem;
using testing::Each;
using testing::HasSubstr;

/// Words w0 to w99, then <unk>, then <s> before every text.
Tokenizer hundred_words(bool adds_bos = true, int extra = 0) {
  TokenizerDefinition definition;
  definition.kind = TokenizerKind::WordLevel;
  definition.source = "hundred words";
  for (int i = 0; i < 100 + extra; ++i) definition.vocabulary.push_back("w" + std::to_string(i));
  definition.unknown = static_cast<int32_t>(definition.vocabulary.size());
  definition.bos = *definition.unknown + 1;
  definition.vocabulary.insert(definition.vocabulary.end(), {"<unk>", "<s>"});
  definition.split_rules = {split::at_white_space()};
  definition.adds_bos = adds_bos;
  return Tokenizer(definition);
}

std::string random_document(uint64_t document) {
  const auto words = 1 + random_below(30, 3, stream_of("tests.words"), document);
  std::string text;
  for (uint64_t i = 0; i < words; ++i)
    text +=
        "w" + std::to_string(random_below(101, 3, stream_of("tests.word") + document, i)) + (i % 9 == 8 ? " ж\n" : " ");
  return text;
}

/// A folder of text, JSONL and compressed files with some 300 documents, of which some stand twice and some are empty.
void write_random_corpus(const TemporaryFolder& folder, const std::string& name = "corpus") {
  std::string text, lines, packed;
  for (uint64_t i = 0; i < 100; ++i) {
    text += random_document(i) + (i % 13 == 5 ? "<|endoftext|> \n" : "") + "<|endoftext|>\n";
    lines += nlohmann::json{{"text", random_document(i % 7 == 3 ? i : 100 + i)}, {"n", i}}.dump() + "\n";
    packed += random_document(i % 5 == 1 ? 2 * i : 200 + i) + "<|endoftext|>";
  }
  folder.write(name + "/a.txt", text);
  folder.write(name + "/b.jsonl", lines);
  folder.write(name + "/c.txt.zst", zstandard(packed));
}

std::vector<std::string> all_texts(const TokenizedCorpus& corpus, const Tokenizer& tokenizer) {
  std::vector<std::string> texts;
  texts_of(corpus, tokenizer)->visit_all([&](int64_t, std::string_view text) { texts.emplace_back(text); });
  return texts;
}

/// Whether a corpus that was streamed or mapped is the one that encode gives, in everything that a result depends on.
testing::AssertionResult is_same(const TokenizedCorpus& found, const Corpus& corpus, const EncodedCorpus& expected) {
  const EncodedCorpus& encoded = found.encoded;
  if (encoded.dataset.size() != expected.dataset.size())
    return testing::AssertionFailure() << "another number of examples";
  for (size_t row = 0; row < expected.dataset.examples.size(); ++row) {
    const ExampleView a = encoded.dataset.examples[row], b = expected.dataset.examples[row];
    if (!(a.tokens == b.tokens)) return testing::AssertionFailure() << "other tokens in row " << row;
    if (a.id != b.id) return testing::AssertionFailure() << "another id in row " << row;
  }
  if (encoded.document_of != expected.document_of) return testing::AssertionFailure() << "other documents of examples";
  if (encoded.is_part != expected.is_part) return testing::AssertionFailure() << "other parts";
  const auto counts = [](const EncodedCorpus& each) {
    return std::vector<int64_t>{each.documents, each.long_documents, each.tokens_cut, each.without_target,
                                each.adds_bos};
  };
  if (counts(encoded) != counts(expected)) return testing::AssertionFailure() << "other counts";
  if (encoded.bos_reason != expected.bos_reason) return testing::AssertionFailure() << "another reason for BOS";
  if (found.documents.size() != std::ssize(corpus.documents)) return testing::AssertionFailure() << "other documents";
  for (int64_t i = 0; i < found.documents.size(); ++i) {
    const Document& document = corpus.documents[static_cast<size_t>(i)];
    if (found.documents.entry(i).id != document.id)
      return testing::AssertionFailure() << "another id of document " << i;
    if (found.documents.source(i) != document.source) return testing::AssertionFailure() << "another source " << i;
    if (found.documents.text(i) != document.text) return testing::AssertionFailure() << "another text " << i;
  }
  if (found.manifest.hash != corpus.content_hash()) return testing::AssertionFailure() << "another hash of the corpus";
  if (found.manifest.dropped != corpus.dropped) return testing::AssertionFailure() << "another number of empty ones";
  return testing::AssertionSuccess();
}

class Shards : public testing::Test {
 protected:
  Shards() { write_random_corpus(folder_); }

  ShardJob job(const std::string& name, const EncodeOptions& encoding = {.context = 12}) const {
    return {.folder = folder_ / name,
            .files = find_corpus_files(corpus_),
            .reading = {},
            .encoding = encoding,
            .shard_tokens = 500};
  }
  ShardSummary write(const std::string& name, const EncodeOptions& encoding = {.context = 12}) const {
    return write_token_shards(job(name, encoding), tokenizer_, silent_progress());
  }
  TokenizedCorpus open(const std::string& name, const CorpusOptions& reading = {},
                       const EncodeOptions& encoding = {}) const {
    return read_token_shards(folder_ / name, reading, tokenizer_, encoding, silent_progress());
  }
  std::optional<Error> refusal(const CorpusOptions& reading, const EncodeOptions& encoding) const {
    return error_of([&] { open("shards", reading, encoding); });
  }
  /// Every file of a store but the lock, by name.
  std::map<std::string, std::string> bytes_of(const std::string& name) const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::directory_iterator(folder_ / name))
      if (entry.path().filename() != ".lock") files[entry.path().filename()] = read_bytes(entry.path());
    return files;
  }

  TemporaryFolder folder_;
  std::string corpus_ = folder_ / "corpus";
  Tokenizer tokenizer_ = hundred_words();
};

TEST_F(Shards, GiveWhatTextGivesInMemory) {
  const Corpus corpus = read_corpus(corpus_);
  for (const LongTexts rule : {LongTexts::Cut, LongTexts::Split}) {
    const EncodeOptions options{.context = 12, .long_texts = rule};
    const EncodedCorpus expected = encode(corpus, tokenizer_, options);
    EXPECT_TRUE(is_same(tokenize_corpus(corpus_, {}, tokenizer_, options), corpus, expected)) << "streamed";
    const std::string name = to_string(rule);
    const ShardSummary summary = write(name, options);
    EXPECT_GT(summary.shards, 4);
    EXPECT_EQ(summary.dataset_hash, expected.dataset.content_hash());
    EXPECT_EQ(summary.examples, expected.dataset.size());
    EXPECT_EQ(summary.tokens, expected.dataset.tokens());
    EXPECT_EQ(summary.longest, expected.dataset.longest());
    EXPECT_TRUE(is_same(open(name, {}, {.long_texts = rule}), corpus, expected)) << "mapped";
    EXPECT_TRUE(is_same(tokenize_corpus(folder_ / name, {}, tokenizer_, {}), corpus, expected))
        << "found by its folder";
    const ScopedTwin twin("data.block_boundary_off_by_one");
    EXPECT_FALSE(is_same(open(name, {}, {.long_texts = rule}), corpus, expected));
  }
}

TEST_F(Shards, TextsOfExamplesAreThoseOfTheirDocumentsOrTokens) {
  const Corpus corpus = read_corpus(corpus_);
  write("shards");
  const TokenizedCorpus mapped = open("shards");
  const std::vector<std::string> texts = all_texts(mapped, tokenizer_);
  ASSERT_EQ(std::ssize(texts), mapped.encoded.dataset.size());
  int64_t parts = 0;
  for (size_t row = 0; row < texts.size(); ++row) {
    const bool is_part = mapped.encoded.is_part[row];
    parts += is_part ? 1 : 0;
    const auto place = static_cast<int64_t>(row);
    const std::string& whole = corpus.documents[static_cast<size_t>(mapped.encoded.document_of[row])].text;
    EXPECT_EQ(texts[row], is_part ? mapped.text_of_tokens(tokenizer_, place) : whole);
  }
  EXPECT_GT(parts, 20);
  std::vector<std::pair<int64_t, std::string>> some;
  const std::vector<int64_t> rows{0, 3, 150, 151, 299};
  texts_of(mapped, tokenizer_)->visit(rows, [&](int64_t row, std::string_view text) { some.emplace_back(row, text); });
  ASSERT_EQ(some.size(), rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(some[i].first, rows[i]);
    EXPECT_EQ(some[i].second, texts[static_cast<size_t>(rows[i])]);
  }
  folder_.write("unicode/a.txt", "жж w1<|endoftext|>w2 ж");
  const auto second_text = [&] {
    return tokenize_corpus(folder_ / "unicode", {}, tokenizer_, {.context = 9}).documents.text(1);
  };
  EXPECT_EQ(second_text(), "w2 ж");
  const ScopedTwin twin("data.places_count_characters");
  EXPECT_TRUE(error_of(second_text)) << "a stretch of too few bytes is another text";
}

TEST_F(Shards, ALimitTakesTheFirstDocuments) {
  write("shards", {.context = 12, .long_texts = LongTexts::Split});
  for (const int64_t limit : {1, 40, 299}) {
    const Corpus corpus = read_corpus(corpus_, {.limit = limit});
    const EncodedCorpus expected = encode(corpus, tokenizer_, {.context = 12, .long_texts = LongTexts::Split});
    TokenizedCorpus mapped = open("shards", {.limit = limit});
    mapped.manifest.dropped = corpus.dropped;  // counted over all
    EXPECT_TRUE(is_same(mapped, corpus, expected)) << limit;
    EXPECT_TRUE(mapped.manifest.is_limited);
  }
  EXPECT_FALSE(open("shards").manifest.is_limited);
}

// Killed after any shard, which is what a store holds at that moment: without the last shards and unfinished.
TEST_F(Shards, AKilledRunEndsInTheSameBytes) {
  class Stop : public Progress {
   public:
    explicit Stop(int64_t after) : left_(after) {}
    void begin(std::string_view, int64_t, std::string_view) override {}
    void advance(int64_t) override {
      if (left_-- == 0) throw Error(ErrorKind::Interrupted, "stopped");
    }
    void end() override {}
    void note(std::string_view line) override { notes.emplace_back(line); }
    std::vector<std::string> notes;

   private:
    int64_t left_;
  };
  folder_.write("corpus/e.jsonl", "{\"text\": \"w1\"}\n{\"text\": \"\"}\n");
  write("whole");
  for (const int64_t after : {5, 9}) {
    const std::string name = "killed" + std::to_string(after);
    Stop stop(after);
    ASSERT_TRUE(error_of([&] { write_token_shards(job(name), tokenizer_, stop); }));
    EXPECT_THAT(error_of([&] { open(name); }), Refusal(ErrorKind::Data, "must be finished"));
    Stop never(1'000'000);
    write_token_shards(job(name), tokenizer_, never);
    ASSERT_FALSE(never.notes.empty());
    EXPECT_THAT(never.notes[0], HasSubstr("going on behind"));
    EXPECT_EQ(bytes_of(name), bytes_of("whole"));
  }
  Stop stop(9);
  ASSERT_TRUE(error_of([&] { write_token_shards(job("twin"), tokenizer_, stop); }));
  const ScopedTwin twin("data.earlier_examples_forgotten");
  write("twin");
  EXPECT_NE(bytes_of("twin"), bytes_of("whole"));
}

TEST_F(Shards, AShardThatIsDamagedIsMadeAgainWithThoseBehindIt) {
  write("whole");
  write("shards");
  const auto unfinish = [&](int64_t shards) {
    // A manifest that names the first shards and is not finished: as a kill leaves it.
    for (int64_t i = shards; i < 100; ++i)
      fs::remove(folder_ / ("shards/shard-" + std::to_string(1'000'000 + i).substr(1) + ".safetensors"));
  };
  unfinish(4);
  std::string third = read_bytes(folder_ / "shards/shard-000002.safetensors");
  third[third.size() / 2] = static_cast<char>(third[third.size() / 2] ^ 1);
  folder_.write("shards/shard-000002.safetensors", third);
  write("shards");
  EXPECT_EQ(bytes_of("shards").at("shard-000002.safetensors"), bytes_of("whole").at("shard-000002.safetensors"));
  EXPECT_EQ(open("shards").encoded.dataset.content_hash(), open("whole").encoded.dataset.content_hash());
}

TEST_F(Shards, FilesThatChangeBetweenTwoUsesAreRefusedByName) {
  const std::string before = read_bytes(corpus_ + "/a.txt");
  write("shards");
  const auto refused = [&] { return error_of([&] { open("shards"); }); };
  folder_.write("corpus/a.txt", before + "w1");
  EXPECT_THAT(refused(), Refusal(ErrorKind::Data, "a.txt\": the file must be the one that was tokenized, but it had"));
  EXPECT_THAT(error_of([&] { write("shards"); }), Refusal(ErrorKind::Data, "a.txt")) << "nor is it appended to";
  std::string other = before;
  std::swap(other[0], other[1]);
  folder_.write("corpus/a.txt", other);
  EXPECT_THAT(refused(), Refusal(ErrorKind::Data, "it was written to since and holds other text"));
  folder_.write("corpus/a.txt", before);
  EXPECT_FALSE(refused()) << "the same bytes again";
  {
    const TokenizedCorpus opened = open("shards");
    folder_.write("corpus/a.txt", other);
    const auto fetched = [&] { return error_of([&] { opened.documents.text(0); }); };
    EXPECT_THAT(fetched(), Refusal(ErrorKind::Data, "a.txt\": piece 1 must be the text that was tokenized"));
    EXPECT_FALSE(error_of([&] { opened.documents.text(5); })) << "the others are what they were";
    const ScopedTwin shown("data.changed_text_is_shown");
    EXPECT_FALSE(fetched());
  }
  const ScopedTwin twin("data.changed_files_accepted");
  EXPECT_FALSE(refused());
}

TEST_F(Shards, FilesThatAreGoneLeaveTheirTokens) {
  write("shards");
  const std::vector<std::string> before = all_texts(open("shards"), tokenizer_);
  fs::rename(corpus_, folder_ / "moved");
  const TokenizedCorpus opened = open("shards");
  EXPECT_FALSE(opened.has_files);
  const std::vector<std::string> texts = all_texts(opened, tokenizer_);
  ASSERT_EQ(texts.size(), before.size());
  EXPECT_EQ(texts[3], opened.text_of_tokens(tokenizer_, 3));
  EXPECT_EQ(opened.documents.source(0), "a.txt, document 0");
  EXPECT_THAT(error_of([&] { opened.documents.text(0); }), Refusal(ErrorKind::Data, "a.txt"));
}

TEST_F(Shards, OfAnotherTokenizerOrRuleAreRefusedByName) {
  write("shards");
  EXPECT_FALSE(refusal({}, {}));
  EXPECT_FALSE(refusal({}, {.context = 12, .bos = BosPolicy::Yes})) << "what they are may be said";
  EXPECT_THAT(refusal({}, {.context = 16}),
              Refusal(ErrorKind::Data, "a context of 16 tokens, but they were tokenized for one of 12"));
  EXPECT_THAT(
      refusal({}, {.bos = BosPolicy::No}),
      Refusal(ErrorKind::Data,
              "read without a BOS token, but they were tokenized with a BOS token before each text; use --bos yes"));
  EXPECT_THAT(refusal({}, {.long_texts = LongTexts::Split}),
              Refusal(ErrorKind::Data, "they were tokenized with --long cut"));
  EXPECT_THAT(refusal({.separator = "\n"}, {}),
              Refusal(ErrorKind::Usage, "the separator must be what their corpus was read by, \"<|endoftext|>\""));
  EXPECT_THAT(refusal({.field = "story"}, {}), Refusal(ErrorKind::Usage, "the field must be"));
  EXPECT_THAT(refusal({.group_field = "author"}, {}), Refusal(ErrorKind::Data, "token shards do not keep groups"));
  const auto of_tokenizer = [&](const Tokenizer& tokenizer) {
    return error_of(
        [&] { read_token_shards(folder_ / "shards", {}, tokenizer, {.bos = BosPolicy::Yes}, silent_progress()); });
  };
  EXPECT_THAT(of_tokenizer(hundred_words(true, 1)),
              Refusal(ErrorKind::Data, "made with the model's own tokenizer (word level, 103 tokens, hash "));
  EXPECT_THAT(of_tokenizer(hundred_words(true, 1)), Refusal(ErrorKind::Data, "(word level, 102 tokens, hash "));
  {
    const ScopedTwin twin("data.shards_of_any_tokenizer");
    EXPECT_FALSE(of_tokenizer(hundred_words(true, 1)));
  }
  {
    const ScopedTwin twin("data.shards_of_any_bos");
    EXPECT_FALSE(refusal({}, {.bos = BosPolicy::No}));
  }
  const ScopedTwin twin("data.shards_of_any_context");
  EXPECT_FALSE(refusal({}, {.context = 16}));
}

TEST_F(Shards, DamageIsRefusedByTheFile) {
  write("shards");
  const auto files = bytes_of("shards");
  ASSERT_GT(files.size(), 4u);
  const auto refused_with = [&](const std::string& name, const std::string& bytes) {
    folder_.write("shards/" + name, bytes);
    const auto error = error_of([&] { tokenize_corpus(folder_ / "shards", {}, tokenizer_, {}); });
    folder_.write("shards/" + name, files.at(name));
    return error;
  };
  for (const auto& [name, bytes] : files) {
    for (uint64_t draw = 0; draw < 10; ++draw) {
      std::string flipped = bytes;
      const uint64_t bit = random_below(8 * bytes.size(), 9, stream_of("tests.bits") + bytes.size(), draw);
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
      EXPECT_THAT(refused_with(name, flipped), Refusal(ErrorKind::Data, name)) << bit;
    }
    EXPECT_THAT(refused_with(name, bytes.substr(0, bytes.size() - 1)), Refusal(ErrorKind::Data, name));
    EXPECT_THAT(refused_with(name, bytes.substr(0, bytes.size() / 2)), Refusal(ErrorKind::Data, name));
  }
  fs::remove(folder_ / "shards/shard-000001.safetensors");
  EXPECT_THAT(error_of([&] { open("shards"); }), Refusal(ErrorKind::Data, "shard-000001"));
}

TEST_F(Shards, AnEmptyCorpusLeavesNothingThatLooksLikeShards) {
  const std::string path = folder_.write("blank.txt", " <|endoftext|>\n");
  ShardJob empty = job("shards");
  empty.files = find_corpus_files(path);
  EXPECT_THAT(error_of([&] { write_token_shards(empty, tokenizer_, silent_progress()); }),
              Refusal(ErrorKind::Data, "it holds 2 empty ones"));
  EXPECT_THAT(error_of([&] { open("shards"); }), Refusal(ErrorKind::Data, "must be finished"));
}

TEST_F(Shards, APlanIsNearWhatComes) {
  std::string text;
  for (uint64_t i = 0; i < 60'000; ++i) text += random_document(i) + "<|endoftext|>";  // more than twice the sample
  corpus_ = folder_.write("large.txt", text);
  ShardJob large = job("large");
  large.shard_tokens = int64_t{1} << 17;
  const ShardEstimate estimate = estimate_shards(large, tokenizer_);
  const std::clock_t started = std::clock();  // of the processor: what other programs take does not count
  const ShardSummary summary = write_token_shards(large, tokenizer_, silent_progress());
  const double seconds = static_cast<double>(std::clock() - started) / CLOCKS_PER_SEC;
  const auto ratio = [](int64_t planned, int64_t found) {
    return static_cast<double>(planned) / static_cast<double>(found);
  };
  EXPECT_NEAR(ratio(estimate.documents, summary.documents), 1, 0.1);
  EXPECT_NEAR(ratio(estimate.tokens, summary.tokens), 1, 0.1);
  EXPECT_NEAR(ratio(estimate.cost.disk_bytes, summary.bytes), 1, 0.1);
  EXPECT_GT(estimate.cost.measured_seconds, seconds / 20);
  large.reading.limit = 100;
  EXPECT_EQ(estimate_shards(large, tokenizer_).documents, 100);
}

TEST_F(Shards, ARealTokenizerGivesTheSameInAllThreeWays) {
  const std::string model = data_path("models/stories260K"), stories = data_path("text/tinystories_1000.txt");
  if (model.empty() || stories.empty()) GTEST_SKIP() << no_data("models/stories260K");
  const Tokenizer tokenizer = load_tokenizer(model);
  const Corpus corpus = read_corpus(stories);
  const EncodedCorpus expected = encode(corpus, tokenizer, {.context = 256});
  EXPECT_TRUE(is_same(tokenize_corpus(stories, {}, tokenizer, {.context = 256}), corpus, expected));
  ShardJob real = job("real", {.context = 256});
  real.files = find_corpus_files(stories);
  real.shard_tokens = 50'000;
  write_token_shards(real, tokenizer, silent_progress());
  EXPECT_TRUE(is_same(read_token_shards(real.folder, {}, tokenizer, {}, silent_progress()), corpus, expected));
}

}  // namespace
}  // namespace assay::data
