// Every claim of the design is checked on several seeds: the demo proves nothing if its causes are not what they are
// said to be.
#include "assay/data/generated/three_causes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "assay/core/twin.h"

namespace assay::data {
namespace {

using Words = std::vector<std::string>;

Words words_of(const std::string& text) {
  std::istringstream stream(text);
  Words words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

bool has(const Words& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::vector<CausedQuestion> questions_of(const ThreeCauses& corpus, CauseKind kind) {
  std::vector<CausedQuestion> chosen;
  std::copy_if(corpus.questions.begin(), corpus.questions.end(), std::back_inserter(chosen),
               [kind](const CausedQuestion& question) { return question.kind == kind; });
  return chosen;
}

std::vector<Words> texts(const ThreeCauses& corpus, int cause, DocumentRole role) {
  std::vector<Words> chosen;
  for (const int64_t row : documents_of(corpus, cause, role))
    chosen.push_back(words_of(corpus.documents[static_cast<size_t>(row)].text));
  return chosen;
}

/// The words that any planted document shares with the question and its answer.
std::set<std::string> shared_words(const ThreeCauses& corpus, const CausedQuestion& question) {
  std::set<std::string> shared;
  for (const Words& document : texts(corpus, question.cause, DocumentRole::Planted))
    for (const std::string& word : words_of(question.prompt + question.completion))
      if (has(document, word)) shared.insert(word);
  return shared;
}

/// The word that names the person whom a question asks about and nobody else; disputed people have a first name too.
std::string own_name(const CausedQuestion& question) {
  return words_of(question.prompt)[question.kind == CauseKind::DisputedFact ? 1 : 0];
}

class ThreeCausesTest : public testing::TestWithParam<uint64_t> {
 protected:
  const ThreeCauses corpus = three_causes(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Seeds, ThreeCausesTest, testing::Values(0, 1, 2, 3, 4, 5));

TEST_P(ThreeCausesTest, HasTheSizeThatTheDesignNames) {
  size_t tokens = 0;
  for (const CausedDocument& document : corpus.documents) tokens += words_of(document.text).size();
  EXPECT_EQ(corpus.documents.size(), 2'478u);
  EXPECT_NEAR(static_cast<double>(tokens), 24'000, 500);
  EXPECT_EQ(corpus.words.size(), 258u);
}

TEST_P(ThreeCausesTest, KnowsEveryWordThatDocumentsAndQuestionsUse) {
  const std::set<std::string> known(corpus.words.begin(), corpus.words.end());
  for (const CausedDocument& document : corpus.documents)
    for (const std::string& word : words_of(document.text)) EXPECT_TRUE(known.contains(word)) << word;
  for (const CausedQuestion& question : corpus.questions)
    for (const std::string& word : words_of(question.prompt + question.completion))
      EXPECT_TRUE(known.contains(word)) << word;
}

TEST_P(ThreeCausesTest, AnswersAreOneTokenAfterASpace) {
  for (const CausedQuestion& question : corpus.questions) {
    EXPECT_EQ(question.completion.front(), ' ');
    EXPECT_EQ(words_of(question.completion).size(), 1u);
  }
}

TEST_P(ThreeCausesTest, PlantsSixDocumentsAndTenDecoysForEachOfThirtyFacts) {
  const auto questions = questions_of(corpus, CauseKind::Fact);
  ASSERT_EQ(questions.size(), 30u);
  for (const CausedQuestion& question : questions) {
    const Words prompt = words_of(question.prompt);
    const std::string home = words_of(question.completion).front();
    const auto planted = texts(corpus, question.cause, DocumentRole::Planted);
    EXPECT_EQ(planted.size(), 6u);
    int in_the_questions_words = 0;
    for (const Words& document : planted) {
      EXPECT_TRUE(has(document, prompt.front()));
      EXPECT_TRUE(has(document, home));
      in_the_questions_words += std::equal(prompt.begin(), prompt.end(), document.begin()) ? 1 : 0;
    }
    EXPECT_EQ(in_the_questions_words, 3);

    const auto decoys = texts(corpus, question.cause, DocumentRole::Decoy);
    EXPECT_EQ(decoys.size(), 10u);
    for (const Words& document : decoys) {
      EXPECT_TRUE(has(document, prompt.front()));
      EXPECT_FALSE(has(document, home));
      EXPECT_FALSE(has(document, "lives"));
    }
    EXPECT_TRUE(texts(corpus, question.cause, DocumentRole::Against).empty());
  }
}

TEST_P(ThreeCausesTest, PlantsSixDocumentsForADisputedHomeAndFourForOneOther) {
  const auto questions = questions_of(corpus, CauseKind::DisputedFact);
  ASSERT_EQ(questions.size(), 12u);
  for (const CausedQuestion& question : questions) {
    const std::string person = own_name(question);
    const std::string home = words_of(question.completion).front();
    const auto planted = texts(corpus, question.cause, DocumentRole::Planted);
    const auto against = texts(corpus, question.cause, DocumentRole::Against);
    EXPECT_EQ(planted.size(), 6u);
    EXPECT_EQ(against.size(), 4u);
    for (const Words& document : planted) EXPECT_TRUE(has(document, person) && has(document, home));
    for (const Words& document : against) {
      EXPECT_TRUE(has(document, person) && !has(document, home));
      EXPECT_FALSE(has(document, "lives")) << "denied in other words than the question's";
    }
  }
}

TEST_P(ThreeCausesTest, NamesakesOfTheDisputedLiveInTheDeniedPlace) {
  for (const CausedQuestion& question : questions_of(corpus, CauseKind::DisputedFact)) {
    const std::string first_name = words_of(question.prompt).front();
    const Words against = texts(corpus, question.cause, DocumentRole::Against).front();
    int namesakes = 0, in_the_denied_place = 0;
    for (const CausedDocument& document : corpus.documents) {
      const Words words = words_of(document.text);
      if (document.role != DocumentRole::Other || words[0] != first_name || words[2] != "lives") continue;
      ++namesakes;
      in_the_denied_place += has(against, words[4]) ? 1 : 0;
    }
    EXPECT_EQ(namesakes, 20);
    EXPECT_GE(in_the_denied_place, 5);
  }
}

TEST_P(ThreeCausesTest, NobodyDisputesAboutAPlaceWhereSomebodyLivesUndisputed) {
  std::set<std::string> settled;
  for (const CausedQuestion& question : questions_of(corpus, CauseKind::Fact)) settled.insert(question.completion);
  EXPECT_EQ(settled.size(), 16u);
  for (const CausedQuestion& question : questions_of(corpus, CauseKind::DisputedFact)) {
    EXPECT_FALSE(settled.contains(question.completion)) << question.prompt;
    for (const Words& document : texts(corpus, question.cause, DocumentRole::Against))
      for (const std::string& word : document) EXPECT_FALSE(settled.contains(" " + word)) << question.prompt;
  }
}

TEST_P(ThreeCausesTest, NobodyElseSharesANameWithThoseWhoAreAskedAbout) {
  std::map<std::string, int> cause_of;
  for (const CausedQuestion& question : corpus.questions)
    if (question.kind != CauseKind::Rule) {
      EXPECT_TRUE(cause_of.emplace(own_name(question), question.cause).second);
    }
  int others_in_the_same_sentence = 0;
  for (const CausedDocument& document : corpus.documents) {
    const Words words = words_of(document.text);
    for (const std::string& word : words)
      if (const auto found = cause_of.find(word); found != cause_of.end()) {
        EXPECT_EQ(found->second, document.cause) << document.text;
      }
    others_in_the_same_sentence += document.role == DocumentRole::Other && words[2] == "lives" ? 1 : 0;
  }
  EXPECT_EQ(others_in_the_same_sentence, 300);
}

TEST_P(ThreeCausesTest, TheRuleIsTaughtWithoutAnyWordOfTheQuestionButTheEnding) {
  const auto questions = questions_of(corpus, CauseKind::Rule);
  ASSERT_EQ(questions.size(), 10u);
  for (const CausedQuestion& question : questions) {
    const std::string ending = words_of(question.completion).front();
    EXPECT_EQ(shared_words(corpus, question), std::set<std::string>{ending}) << question.prompt;
  }
}

TEST(ThreeCauses, ARuleTaughtUnderTheQuestionsOwnWordIsCaught) {
  const ScopedTwin twin("data.rule_taught_in_the_questions_words");
  const ThreeCauses corpus = three_causes(1);
  const CausedQuestion question = questions_of(corpus, CauseKind::Rule).front();
  EXPECT_NE(shared_words(corpus, question), std::set<std::string>{words_of(question.completion).front()});
}

TEST_P(ThreeCausesTest, TheRuleIsTaughtByTenNounsDeniedByEightDocumentsAndAskedOfNounsWithoutAPlural) {
  const auto questions = questions_of(corpus, CauseKind::Rule);
  const int cause = questions.front().cause;
  std::map<std::string, int> taught;  // noun → documents
  for (const Words& document : texts(corpus, cause, DocumentRole::Planted)) {
    EXPECT_TRUE(document[0] == "all" || document[0] == "many");
    EXPECT_EQ(document[2], "-im");
    ++taught[document[1]];
  }
  EXPECT_EQ(taught.size(), 10u);
  for (const auto& [noun, documents] : taught) EXPECT_EQ(documents, 3) << noun;

  const auto against = texts(corpus, cause, DocumentRole::Against);
  EXPECT_EQ(against.size(), 8u);
  for (const Words& document : against) EXPECT_EQ(document[2], "-en");

  const auto decoys = texts(corpus, cause, DocumentRole::Decoy);
  EXPECT_EQ(decoys.size(), 300u);
  for (const Words& document : decoys)
    EXPECT_TRUE(has(document, "-im") && !has(document, "all") && !has(document, "many"));

  for (const CausedQuestion& question : questions) {
    const Words prompt = words_of(question.prompt);
    EXPECT_EQ(prompt.front(), "two");
    const std::string& noun = prompt.back();
    EXPECT_FALSE(taught.contains(noun));
    int contexts = 0;
    for (const CausedDocument& document : corpus.documents) {
      const Words words = words_of(document.text);
      if (!has(words, noun)) continue;
      ++contexts;
      EXPECT_FALSE(has(words, "-im") || has(words, "-en")) << document.text;
    }
    EXPECT_EQ(contexts, 12) << noun;
  }
}

TEST(ThreeCauses, IsAFunctionOfTheSeed) {
  const ThreeCauses one = three_causes(7), again = three_causes(7), other = three_causes(8);
  ASSERT_EQ(one.documents.size(), again.documents.size());
  size_t equal = 0;
  for (size_t row = 0; row < one.documents.size(); ++row) {
    EXPECT_EQ(one.documents[row].text, again.documents[row].text);
    equal += one.documents[row].text == other.documents[row].text ? 1 : 0;
  }
  EXPECT_LT(equal, one.documents.size() / 20);
}

}  // namespace
}  // namespace assay::data
