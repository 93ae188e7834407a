// Unigram against the definition: all ways to write a short text as tokens are tried, and the best one must come out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "assay/core/philox.h"
#include "assay/core/twin.h"
#include "assay/data/tokenizer.h"
#include "assay/data/tokenizer_definition.h"
#include "tests/support/errors.h"

namespace assay::data {
namespace {

using testing::ElementsAre;

/// Token 0 is <unk>, then the letters "a" to "c" (a "d" is unknown) and random words over them, "▁" among the letters.
/// Log-probabilities are multiples of 1/8, so that sums are exact and ties are ties.
TokenizerDefinition random_vocabulary(uint64_t seed) {
  TokenizerDefinition definition;
  definition.kind = TokenizerKind::Unigram;
  definition.source = "test";
  definition.added_space = AddedSpace::Never;
  definition.unknown = 0;
  definition.vocabulary = {"<unk>"};
  const std::vector<std::string> letters{"a", "b", "c", "▁"};
  for (uint64_t i = 0; definition.vocabulary.size() < 24; ++i) {
    std::string word;
    const uint64_t length = i < letters.size() ? 1 : 1 + random_below(4, seed, 1, i);
    for (uint64_t k = 0; k < length; ++k) {
      word += letters[i < letters.size() ? i : random_below(letters.size(), seed, 2, 8 * i + k)];
    }
    const auto& known = definition.vocabulary;
    if (std::find(known.begin(), known.end(), word) == known.end()) definition.vocabulary.push_back(word);
  }
  for (uint64_t id = 0; id < definition.vocabulary.size(); ++id) {
    definition.log_probabilities.push_back(-1.0 - 0.125 * static_cast<double>(random_below(64, seed, 3, id)));
  }
  return definition;
}

std::string random_letters(uint64_t seed, uint64_t most) {
  std::string text;
  const uint64_t length = 1 + random_below(most, seed, 4, 0);
  for (uint64_t i = 0; i < length; ++i) text += "abc d"[random_below(i % 4 == 3 ? 5 : 4, seed, 5, i)];
  return text;
}

/// Every way to write `text` ("▁" for spaces) as tokens, an unknown letter as token 0; `visit` gets ids and their sum.
template <typename Visit>
void for_each_segmentation(const TokenizerDefinition& definition, const std::map<std::string, int32_t>& ids,
                           double unknown_score, const std::string& text, std::vector<int32_t>& so_far, double sum,
                           const Visit& visit) {
  if (text.empty()) return visit(so_far, sum);
  for (size_t length = 1; length <= text.size(); ++length) {
    const auto found = ids.find(text.substr(0, length));
    const bool is_unknown = length == 1 && text[0] == 'd';
    if (found == ids.end() && !is_unknown) continue;
    const int32_t id = is_unknown ? 0 : found->second;
    so_far.push_back(id);
    const double score = is_unknown ? unknown_score : definition.log_probabilities[static_cast<size_t>(id)];
    for_each_segmentation(definition, ids, unknown_score, text.substr(length), so_far, sum + score, visit);
    so_far.pop_back();
  }
}

std::string with_marks(const std::string& text) {
  std::string marked;
  for (const char c : text) marked += c == ' ' ? "▁" : std::string(1, c);
  return marked;
}

/// Texts, of 400, whose ids have not the greatest sum of all.
size_t texts_not_at_their_best() {
  size_t wrong = 0;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    const TokenizerDefinition definition = random_vocabulary(seed / 20);
    const Tokenizer tokenizer(definition);
    std::map<std::string, int32_t> ids;
    for (size_t id = 1; id < definition.vocabulary.size(); ++id)
      ids[definition.vocabulary[id]] = static_cast<int32_t>(id);
    const auto& scores = definition.log_probabilities;
    const double unknown_score = *std::min_element(scores.begin(), scores.end()) - 10;
    const std::string text = random_letters(seed, 9);
    const std::vector<int32_t> chosen = tokenizer.encode(text);

    double best = -1e9, sum_of_chosen = -1e9;
    std::vector<int32_t> so_far;
    for_each_segmentation(definition, ids, unknown_score, with_marks(text), so_far, 0,
                          [&](std::vector<int32_t> segmentation, double sum) {
                            // A run of unknown letters is one token.
                            const auto is_second = [](int32_t a, int32_t b) { return a == 0 && b == 0; };
                            segmentation.erase(std::unique(segmentation.begin(), segmentation.end(), is_second),
                                               segmentation.end());
                            best = std::max(best, sum);
                            if (segmentation == chosen) sum_of_chosen = std::max(sum_of_chosen, sum);
                          });
    if (sum_of_chosen != best) ++wrong;  // exact: sums of multiples of 1/8
  }
  return wrong;
}

TEST(Unigram, TheSumOfLogProbabilitiesIsTheGreatestOfAllWays) {
  EXPECT_EQ(texts_not_at_their_best(), 0u);
  const ScopedTwin error("data.unigram_greedy");
  EXPECT_GT(texts_not_at_their_best(), 50u);
}

TokenizerDefinition words(std::vector<std::pair<std::string, double>> entries) {
  TokenizerDefinition definition;
  definition.kind = TokenizerKind::Unigram;
  definition.source = "test";
  definition.added_space = AddedSpace::Never;
  definition.unknown = 0;
  entries.insert(entries.begin(), {"<unk>", 0.0});
  for (const auto& [token, score] : entries) {
    definition.vocabulary.push_back(token);
    definition.log_probabilities.push_back(score);
  }
  return definition;
}

TEST(Unigram, OfEqualSumsTheLastTokenThatBeginsFirstWins) {
  const auto ids = [] {
    return Tokenizer(words({{"a", -1}, {"b", -1}, {"ab", -2}, {"bc", -2}, {"c", -1}})).encode("abc");
  };
  EXPECT_THAT(ids(), ElementsAre(1, 4));  // "a bc", not "ab c" or "a b c"
  const ScopedTwin error("data.unigram_later_ties");
  EXPECT_THAT(ids(), testing::Not(ElementsAre(1, 4)));
}

TEST(Unigram, UnknownCharactersInARunAreOneTokenOrTheirBytes) {
  TokenizerDefinition definition = words({{"a", -1}, {"<0xC3>", -5}, {"<0xA9>", -5}, {"xy", -60}});
  EXPECT_THAT(Tokenizer(definition).encode("aééa"), ElementsAre(1, 0, 1));
  EXPECT_THAT(Tokenizer(definition).encode("xy"), ElementsAre(4));  // less probable than two unknowns, but their text
  definition.falls_back_to_bytes = true;
  EXPECT_THAT(Tokenizer(definition).encode("aééa"), ElementsAre(1, 2, 3, 2, 3, 1));
  EXPECT_THAT(Tokenizer(definition).encode("aüa"), ElementsAre(1, 0, 1));  // no token for its byte 0xBC
  EXPECT_EQ(Tokenizer(definition).decode(Tokenizer(definition).encode("aéa")), "aéa");
  definition.unknown = std::nullopt;
  EXPECT_THAT(error_of([&] { Tokenizer(definition).encode("axa"); }), Refusal(ErrorKind::Data, "\"x\""));
}

TEST(Unigram, SpansSayWhichBytesATokenStandsFor) {
  TokenizerDefinition definition = words({{"▁", -1}, {"▁a", -1}, {"<0xC3>", -5}, {"<0xA9>", -5}});
  definition.falls_back_to_bytes = true;
  definition.added_space = AddedSpace::WhereMissing;
  definition.cuts_words = true;
  const auto spans = Tokenizer(definition).encode_with_spans("a é a");
  std::vector<std::vector<int64_t>> found;
  for (const TokenSpan& span : spans) found.push_back({span.id, span.begin, span.end});
  EXPECT_THAT(found, ElementsAre(ElementsAre(2, 0, 1), ElementsAre(1, 1, 2), ElementsAre(3, 2, 3), ElementsAre(4, 3, 4),
                                 ElementsAre(2, 4, 6)));
}

TEST(Unigram, WordsFromTheCacheAreThoseOfTheirOwnTokenizer) {
  const auto second = [] {
    const Tokenizer first(words({{"▁a", -1}, {"▁", -1}, {"a", -1}}));
    TokenizerDefinition other = words({{"▁", -1}, {"a", -1}, {"▁a", -9}});
    first.encode("a a");
    return Tokenizer(other).encode("a a");
  };
  const std::vector<int32_t> ids = second();
  EXPECT_EQ(second(), ids);
  const ScopedTwin error("data.words_of_all_tokenizers");
  EXPECT_NE(second(), ids);
}

}  // namespace
}  // namespace assay::data
