#include "assay/data/encode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assay/core/twin.h"
#include "assay/data/queries.h"
#include "assay/data/tokenized_corpus.h"
#include "assay/data/tokenizer_definition.h"
#include "tests/support/data.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"

namespace assay::data {
namespace {

using testing::ElementsAre;

/// Words w0 to w9 are the ids 0 to 9, <unk> is 10, <s> is 11; `adds_bos` as a file would say.
Tokenizer words(bool adds_bos, bool has_bos = true) {
  TokenizerDefinition definition;
  definition.kind = TokenizerKind::WordLevel;
  definition.source = "words";
  for (int i = 0; i < 10; ++i) definition.vocabulary.push_back("w" + std::to_string(i));
  definition.vocabulary.insert(definition.vocabulary.end(), {"<unk>", "<s>"});
  definition.split_rules = {split::at_white_space()};
  definition.unknown = 10;
  if (has_bos) definition.bos = 11;
  definition.adds_bos = adds_bos;
  return Tokenizer(definition);
}

std::vector<std::vector<int32_t>> tokens(const EncodedCorpus& encoded) {
  std::vector<std::vector<int32_t>> result;
  for (const Example& example : encoded.dataset.examples) result.push_back(example.tokens);
  return result;
}

const std::vector<std::string> kTexts{"w0 w1 w2 w3 w4", "w5", "w6 w7"};

TEST(Encode, LongTextsAreCutAndCountedAndTheContextCountsBos) {
  const Corpus corpus = make_corpus(kTexts, "test");
  const auto cut = [&] { return encode(corpus, words(true), {.context = 3}); };
  EXPECT_THAT(tokens(cut()), ElementsAre(ElementsAre(11, 0, 1), ElementsAre(11, 5), ElementsAre(11, 6, 7)));
  EXPECT_EQ(cut().long_documents, 1);
  EXPECT_EQ(cut().tokens_cut, 3);
  EXPECT_EQ(cut().without_target, 0);
  EXPECT_THAT(cut().document_of, ElementsAre(0, 1, 2));
  const ScopedTwin error("data.context_without_bos");
  EXPECT_THAT(tokens(cut()),
              testing::Not(ElementsAre(ElementsAre(11, 0, 1), ElementsAre(11, 5), ElementsAre(11, 6, 7))));
}

TEST(Encode, SplittingLosesNoTokenAndKnowsTheDocument) {
  const EncodedCorpus split =
      encode(make_corpus(kTexts, "test"), words(true), {.context = 3, .long_texts = LongTexts::Split});
  EXPECT_THAT(tokens(split), ElementsAre(ElementsAre(11, 0, 1), ElementsAre(11, 2, 3), ElementsAre(11, 4),
                                         ElementsAre(11, 5), ElementsAre(11, 6, 7)));
  EXPECT_THAT(split.document_of, ElementsAre(0, 0, 0, 1, 2));
  EXPECT_EQ(split.tokens_cut, 0);
  EXPECT_EQ(split.long_documents, 1);
  EXPECT_EQ(split.documents, 3);
}

TEST(TokenizedCorpus, SomeOfItsExamplesKeepTheirDocuments) {
  TokenizedCorpus whole;
  whole.encoded = encode(make_corpus(kTexts, "test"), words(true), {.context = 3, .long_texts = LongTexts::Split});
  const std::vector<int64_t> rows{1, 2, 4};
  const auto some = [&] { return with_examples(whole, rows).encoded; };
  EXPECT_THAT(tokens(some()), ElementsAre(ElementsAre(11, 2, 3), ElementsAre(11, 4), ElementsAre(11, 6, 7)));
  EXPECT_THAT(some().document_of, ElementsAre(0, 0, 2));
  EXPECT_THAT(some().is_part, ElementsAre(true, true, false));
  EXPECT_EQ(some().documents, 2);
  EXPECT_EQ(some().long_documents, 1);
  EXPECT_EQ(some().dataset.examples[2].id, whole.encoded.dataset.examples[4].id);
  const ScopedTwin twin("data.kept_documents_renumbered");
  EXPECT_THAT(some().document_of, testing::Not(ElementsAre(0, 0, 2)));
}

TEST(Encode, RefusingNamesTheDocument) {
  EXPECT_THAT(
      error_of(
          [] { encode(make_corpus(kTexts, "test"), words(true), {.context = 5, .long_texts = LongTexts::Refuse}); }),
      Refusal(ErrorKind::Data, "test, document 0: a document must fit into a context of 5 tokens, but it has 6"));
  encode(make_corpus(kTexts, "test"), words(true), {.context = 6, .long_texts = LongTexts::Refuse});
  EXPECT_THAT(error_of([] { encode(make_corpus(kTexts, "test"), words(true), {.context = 1}); }),
              Refusal(ErrorKind::Usage, "at least 2"));
}

TEST(Encode, BosIsWhatTheFilesSayUnlessOneAsks) {
  const Corpus corpus = make_corpus({"w1"}, "test");
  const auto first = [&](const Tokenizer& tokenizer, BosPolicy policy) {
    return tokens(encode(corpus, tokenizer, {.context = 4, .bos = policy})).front();
  };
  EXPECT_THAT(first(words(true), BosPolicy::Auto), ElementsAre(11, 1));
  EXPECT_THAT(first(words(false), BosPolicy::Auto), ElementsAre(1));
  EXPECT_THAT(first(words(false), BosPolicy::Yes), ElementsAre(11, 1));
  EXPECT_THAT(first(words(true), BosPolicy::No), ElementsAre(1));
  EXPECT_THAT(error_of([&] { first(words(false, false), BosPolicy::Yes); }),
              Refusal(ErrorKind::Usage, "\"words\" does not"));
}

TEST(Encode, ADocumentOfOneTokenStaysAndHasNoTarget) {
  const EncodedCorpus encoded = encode(make_corpus(kTexts, "test"), words(false), {.context = 8});
  EXPECT_EQ(encoded.dataset.size(), 3);
  EXPECT_EQ(encoded.without_target, 1);
  EXPECT_THAT(encoded.dataset.examples[1].tokens, ElementsAre(5));
}

TEST(Encode, ACorpusWithNothingToPredictIsRefused) {
  const auto refusal = [](const std::vector<std::string>& texts, const Tokenizer& tokenizer) {
    const EncodedCorpus encoded = encode(make_corpus(texts, "test"), tokenizer, {.context = 8});
    return error_of([&] { require_targets(encoded, "a/c.txt"); });
  };
  EXPECT_THAT(refusal({"w1"}, words(false)),
              Refusal(ErrorKind::Data, "tokenizing \"a/c.txt\": at least one document must have a token to predict"));
  EXPECT_THAT(refusal({"w1", "w2"}, words(false)), Refusal(ErrorKind::Data, "begin token"));
  EXPECT_FALSE(refusal({"w1", "w2 w3"}, words(false)));
  EXPECT_FALSE(refusal({"w1"}, words(true)));
  const ScopedTwin twin("data.nothing_to_predict_allowed");
  EXPECT_FALSE(refusal({"w1"}, words(false)));
}

TEST(Encode, ADocumentWithoutATokenIsRefused) {
  EXPECT_THAT(error_of([] {
                encode(make_corpus({"w0", "\u00a0"}, "test"), words(false), {.context = 8});
              }),
              Refusal(ErrorKind::Data, "test, document 1: a document must have at least one token"));
}

Query query(const std::string& prompt, const std::string& completion, const Tokenizer& tokenizer,
            int64_t context = 16) {
  return encode_query({prompt, completion, ""}, tokenizer, {.context = context});
}

TEST(EncodeQuery, TheCompletionCountsAndThePromptIsContext) {
  const Query plain = query("w0 w1", " w2 w3", words(false));
  EXPECT_THAT(plain.example.tokens, ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(plain.example.first_counted, 2);
  EXPECT_FALSE(plain.boundary_token_shared);
  EXPECT_EQ(query("w0 w1", " w2 w3", words(true)).example.first_counted, 3);
}

TEST(EncodeQuery, ATokenAcrossTheBoundaryBelongsToTheCompletion) {
  const auto start = [] { return query("w0 w", "1 w2", words(false)); };
  EXPECT_THAT(start().example.tokens, ElementsAre(0, 1, 2));
  EXPECT_EQ(start().example.first_counted, 1);
  EXPECT_TRUE(start().boundary_token_shared);
  const ScopedTwin error("data.shared_token_to_prompt");
  EXPECT_NE(start().example.first_counted, 1);
}

TEST(EncodeQuery, ATextCountsWhereverSomethingPredictsIt) {
  EXPECT_EQ(query("", "w0 w1", words(true)).example.first_counted, 1);   // BOS predicts w0
  EXPECT_EQ(query("", "w0 w1", words(false)).example.first_counted, 1);  // w0 is context
}

TEST(EncodeQuery, WhatCannotBeMeasuredIsRefused) {
  const auto refuses = [](const std::string& prompt, const std::string& completion, int64_t context,
                          const std::string& words_said) {
    EXPECT_THAT(error_of([&] { query(prompt, completion, words(false), context); }),
                Refusal(ErrorKind::Data, words_said));
  };
  refuses("w0 w1", "", 16, "at least one token");
  refuses("w0 w1", "  ", 16, "at least one token");
  refuses("", "w0", 16, "--bos yes");
  refuses("w", "0 w1", 16, "--bos yes");
  refuses("w0 w1", " w2", 2, "the model's context of 2 tokens, but it has 3; shorten it");
}

TEST(EncodeQuery, JointTokensAreThoseOfTheWholeText) {
  const std::string folder = data_path("models/stories260K");
  if (folder.empty()) GTEST_SKIP() << no_data("models/stories260K");
  const Tokenizer tokenizer = load_tokenizer(folder);
  const std::string text = "Once upon a time, there was a little girl";
  for (size_t cut = 1; cut < text.size(); ++cut) {
    const Query part = query(text.substr(0, cut), text.substr(cut), tokenizer, 64);
    std::vector<int32_t> whole = tokenizer.encode(text);
    whole.insert(whole.begin(), 1);
    EXPECT_EQ(part.example.tokens, whole);
    const auto first = static_cast<size_t>(part.example.first_counted);
    const std::string before = tokenizer.decode(std::span(whole).first(first), {.keep_special = false});
    EXPECT_EQ(part.boundary_token_shared, before.size() < cut) << cut;
    EXPECT_LE(before.size(), cut);
  }
}

TEST(ReadQueries, LinesArePromptsOrTexts) {
  const TemporaryFolder folder;
  const auto queries =
      read_queries(folder.write("q.jsonl", "{\"prompt\": \"a\", \"completion\": \" b\"}\n\n{\"text\": \"c\"}\n"));
  ASSERT_EQ(queries.size(), 2u);
  EXPECT_EQ(queries[0].completion, " b");
  EXPECT_EQ(queries[1].prompt, "");
  EXPECT_EQ(queries[1].source, folder / "q.jsonl, line 3");
  const auto refuses = [&](const std::string& lines, const std::string& words_said) {
    EXPECT_THAT(error_of([&] { read_queries(folder.write("bad.jsonl", lines)); }),
                Refusal(ErrorKind::Data, words_said));
  };
  refuses("{\"prompt\": \"a\", \"completoin\": \"b\"}", "\"completion\"");
  refuses("{\"prompt\": \"a\"}", "completion");
  refuses("{\"text\": \"a\", \"prompt\": \"b\"}", "prompt");
  refuses("{\"text\": \"a\"}\n{", "line 2");
  refuses("\n", "at least one line");
}

TEST(QueryDataset, IdenticalQueriesHaveTwoIds) {
  const Query one = query("w0", " w1", words(false));
  const Dataset dataset = query_dataset({one, one});
  EXPECT_NE(dataset.examples[0].id, dataset.examples[1].id);
  EXPECT_EQ(dataset.examples[0].first_counted, 1);
}

}  // namespace
}  // namespace assay::data
