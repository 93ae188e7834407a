// What `assay attribute` refuses of its question, its options and its folders: the code of its kind, one sentence that
// names what was found.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/acceptance/attribution.h"

namespace assay {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class AttributeInput : public testing::Test {
 protected:
  AttributeInput() : job_(3) {}

  void expect_refusal(const Outcome& outcome, int exit_code, const std::string& kind, const std::string& words) const {
    EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
    EXPECT_TRUE(is_one_sentence(outcome.err, kind)) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(words));
    EXPECT_EQ(outcome.out, "");
  }
  void expect_usage_error(const std::vector<std::string>& more, const std::string& words) const {
    std::vector<std::string> all = job_.words({"--quiet"});
    for (size_t i = 0; i + 1 < more.size(); i += 2) {  // an option of the job gets the other value
      const auto place = std::ranges::find(all, more[i]);
      if (place == all.end()) {
        all.insert(all.end(), {more[i], more[i + 1]});
      } else {
        *(place + 1) = more[i + 1];
      }
    }
    expect_refusal(run_assay(all), 2, "usage", words);
  }
  Outcome asked(const std::vector<std::string>& question) const {
    std::vector<std::string> all{"attribute", job_.model(), "--data", job_.corpus(), "--method", "bm25", "--quiet"};
    all.insert(all.end(), question.begin(), question.end());
    return run_assay(all);
  }
  void expect_bad_question(const std::string& lines, const std::string& words) const {
    expect_refusal(asked({"--queries", job_.folder().write("q.jsonl", lines)}), 3, "data", words);
  }

  TinyAttribution job_;
};

TEST_F(AttributeInput, MoreTopDocumentsThanThereAre) {
  expect_usage_error({"--top", "4"}, "there are 3 documents to show, but it asks for 4");
}

TEST_F(AttributeInput, WithoutTopASmallCorpusIsShownWhole) {
  const Outcome outcome = asked({"--prompt", "the", "--completion", " cat", "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(json::parse(outcome.out)["queries"][0]["top"].size(), 3u);
}

TEST_F(AttributeInput, TheReportNamesTheLineThatWasTyped) {
  ASSERT_EQ(run_assay(job_.into("typed")).exit_code, 0);
  const std::string page = read_bytes(job_.out("typed") + "/report.html");
  EXPECT_NE(page.find("assay attribute " + job_.model() + " --data"), std::string::npos);
  EXPECT_NE(page.find("the cat"), std::string::npos);
}

TEST_F(AttributeInput, LayersThatMatchNothingOfferTheNearest) {
  expect_usage_error({"--layers", "blocks.0.mlp.upp"}, "closest: \"blocks.0.mlp.up\"");
  expect_usage_error({"--layers", "blocks.*.mpl.*"}, "pattern \"blocks.*.mpl.*\" must match one of the 15 layers");
}

TEST_F(AttributeInput, AMethodsTextIsReadBeforeAnythingIsLoaded) {
  expect_usage_error({"--method", "ekfac(dampin=0.1)"}, "found \"dampin\"; closest: \"damping\"");
  expect_usage_error({"--method", "efkac"}, "closest: \"ekfac\"");
  expect_usage_error({"--method", "ekfac(damping=-1)"}, "damping");
  expect_usage_error({"--method", "ekfac(labels=drawn)"}, "labels");
}

TEST_F(AttributeInput, BatchesAreCheckedOfGradientsAlone) {
  expect_usage_error({"--check-batches", "maybe"}, "one of auto|yes|no, but it is \"maybe\"");
  expect_usage_error({"--check-batches", "yes", "--method", "bm25"},
                     "the method must take gradients of documents in batches, but bm25 takes none");
}

TEST_F(AttributeInput, AQuestionWithoutACompletion) {
  expect_refusal(asked({"--prompt", "the cat"}), 2, "usage", "--completion is missing or empty");
  expect_refusal(asked({}), 2, "usage", "none is given");
  expect_bad_question(R"({"prompt": "the cat", "completion": ""})",
                      "q.jsonl, line 1: a completion must have at least one token");
  expect_refusal(asked({"--prompt", "the cat", "--completion", " "}), 3, "data",
                 "must have at least one token, but \" \" has none");
}

TEST_F(AttributeInput, AQuestionBeyondTheContext) {
  std::string prompt;
  for (int i = 0; i < 20; ++i) prompt += "cat ";
  expect_refusal(asked({"--prompt", prompt, "--completion", "sat"}), 3, "data",
                 "must fit into the model's context of 16 tokens, but it has 21; shorten it");
  expect_bad_question("{\"text\": \"the cat\"}\n{\"text\": \"" + prompt + "\"}\n", "q.jsonl, line 2");
  // The context that is asked for is that of the documents.
  const Outcome longer = asked({"--prompt", "the cat sat on the", "--completion", " mat", "--context", "4"});
  EXPECT_EQ(longer.exit_code, 0) << longer.err;
}

TEST_F(AttributeInput, AQueryFileThatIsNone) {
  expect_bad_question("prompt,completion\nthe cat,sat\n", "line 1, column 1");
  expect_bad_question("{\"prompt\": \"the\", \"completion\": \" cat\"}\n[1, 2]\n", "q.jsonl, line 2");
  expect_bad_question("{\"promt\": \"the\", \"completion\": \" cat\"}\n", "closest: \"promt\"");
  expect_bad_question("{\"prompt\": 7, \"completion\": \" cat\"}\n", "\"prompt\" must be a text");
  expect_bad_question("", "q.jsonl");
  expect_bad_question("\n \n", "must hold a query on at least one line");
  expect_refusal(asked({"--queries", job_.folder() / "absent.jsonl"}), 3, "data", "there is none of this name");
}

TEST_F(AttributeInput, AFolderOfAnotherRunIsKeptUnlessForced) {
  ASSERT_EQ(run_assay(job_.into("result")).exit_code, 0);
  const std::string first = job_.scores("result");
  const std::vector<std::string> other = job_.into("result", {"--quiet", "--method", "identity"});
  expect_refusal(run_assay(other), 2, "usage", "--force");
  EXPECT_EQ(job_.scores("result"), first);
  std::vector<std::string> forced = other;
  forced.push_back("--force");
  EXPECT_EQ(run_assay(forced).exit_code, 0);
  EXPECT_NE(job_.scores("result"), first);
}

TEST_F(AttributeInput, ATokenizerOfAnotherModel) {
  std::vector<std::string> words{"<unk>", "the", "cat", "dog", "sat", "on", "mat", "ran", "flew"};
  data::save_tokenizer(data::word_level_tokenizer(words, "<unk>"), job_.model());
  const std::string found = "9";
  expect_refusal(run_assay(job_.words({"--quiet"})), 4, "model", found);
  expect_refusal(run_assay({"evaluate", job_.model(), "--data", job_.corpus(), "--quiet"}), 4, "model", found);
  expect_refusal(run_assay({"generate", job_.model(), "--prompt", "the", "--quiet"}), 4, "model", found);
}

}  // namespace
}  // namespace assay
