// What `assay attribute` says beside its scores: what a run will cost, with the factors that it finds, and how far the
// scores would agree if other labels had been drawn.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/acceptance/attribution.h"
#include "tests/acceptance/documented_keys.h"

namespace assay {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

class AttributeOutput : public testing::Test {
 protected:
  std::vector<std::string> planned_stages(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all = job_.words({"--plan", "--json"});
    all.insert(all.end(), more.begin(), more.end());
    const Outcome outcome = run_assay(all);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    const json planned = json::parse(outcome.out)["plan"];
    std::vector<std::string> names;
    for (const json& stage : planned["stages"]) names.push_back(stage["stage"]);
    return names;
  }

  TinyAttribution job_{40};
};

// Pythia's and Qwen2's vocabularies are padded: their last rows are no tokens and are never told.
TEST_F(AttributeOutput, TheRowsThatPadAVocabularyAreNoTokens) {
  write_tiny_model(job_.model(), 1, 40);
  const Outcome outcome = run_assay(job_.into("padded", {"--method", "identity"}));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_TRUE(job_.is_finished("padded"));
}

TEST_F(AttributeOutput, APlanLeavesOutWhatLiesInTheCache) {
  EXPECT_THAT(planned_stages(),
              ElementsAre("covariances", "eigendecompositions", "eigenvalues", "scores", "shown documents"));
  EXPECT_EQ(job_.factors(), "") << "a plan fits nothing";
  ASSERT_EQ(run_assay(job_.words({"--method", "kfac"})).exit_code, 0);
  EXPECT_THAT(planned_stages(), ElementsAre("eigenvalues", "scores", "shown documents"))
      << "K-FAC shares the first pass";
  ASSERT_EQ(run_assay(job_.words()).exit_code, 0);
  EXPECT_THAT(planned_stages(), ElementsAre("scores", "shown documents"));
  EXPECT_THAT(planned_stages({"--seed", "1"}).front(), "covariances") << "other labels are other factors";
}

TEST_F(AttributeOutput, StabilityComparesWithOtherLabels) {
  const Outcome outcome = run_assay(job_.into("doubted", {"--stability", "--json"}));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const json result = json::parse(outcome.out);
  const double stability = result["label_stability"];
  EXPECT_GT(stability, 0.0);
  EXPECT_LT(stability, 1.0);
  EXPECT_EQ(result["queries"][0]["label_stability"].get<double>(), stability) << "one question is its own mean";
  EXPECT_THAT(read_bytes(job_.out("doubted") + "/report.html"), HasSubstr("Between two draws of the labels"));
  ASSERT_EQ(run_assay(job_.into("plain")).exit_code, 0);
  EXPECT_TRUE(job_.scores("plain") == job_.scores("doubted")) << "doubt changes no score";
}

TEST_F(AttributeOutput, StabilityIsRefusedWhereNothingIsSampled) {
  const Outcome outcome = run_assay(job_.words({"--stability", "--method", "ekfac(labels=empirical)"}));
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_TRUE(is_one_sentence(outcome.err, "usage")) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("leave --stability out"));
}

TEST_F(AttributeOutput, DocumentsAreComparedAloneAndInABatch) {
  const Outcome outcome = run_assay(job_.into("checked", {"--check-batches", "yes", "--json"}));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("Checked: 8 documents alone and together give the same losses and gradients to"));
  const json result = json::parse(outcome.out);
  expect_documented_keys(result, "attribute");
  const json& check = result["batch_check"];
  EXPECT_EQ(check["documents"], 8);
  for (const char* difference : {"loss_difference", "gradient_difference"})
    EXPECT_LT(check[difference].get<double>(), check["tolerance"].get<double>());
  EXPECT_LT(check["gradient_row"].get<int>(), 40);
  EXPECT_EQ(planned_stages({"--check-batches", "yes"}).back(), "batch check");

  const Outcome plain = run_assay(job_.into("plain", {"--json"}));
  EXPECT_FALSE(json::parse(plain.out).contains("batch_check")) << "it takes no ten minutes";
  EXPECT_TRUE(job_.scores("plain") == job_.scores("checked"));
}

TEST_F(AttributeOutput, OfOneDocumentNothingIsCompared) {
  const Outcome outcome = run_assay(job_.words({"--check-batches", "yes", "--limit", "1", "--json"}));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("Batches were not checked"));
  EXPECT_FALSE(json::parse(outcome.out).contains("batch_check"));
}

}  // namespace
}  // namespace assay
