// SmolLM2-135M-Instruct from its GGUF file against an independent float32 implementation on the same dequantised
// weights (models/smollm2/expected.json): probabilities, greedy text, losses.
#include "tests/support/smollm2.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "assay/core/twin.h"
#include "assay/data/encode.h"
#include "assay/io/json.h"
#include "assay/nn/checkpoint.h"
#include "assay/nn/generate.h"
#include "assay/nn/gradients.h"
#include "tests/support/data.h"

namespace assay::nn {
namespace {

class SmolLM2 : public ::testing::Test {
 protected:
  void SetUp() override {
    path = smollm2_path();
    if (path.empty()) GTEST_SKIP() << no_smollm2();
    if (data_path("models/smollm2").empty()) GTEST_SKIP() << no_data("models/smollm2");
    expected = io::read_json(data_path("models/smollm2/expected.json"), ErrorKind::Data);
    model = load_checkpoint(path).model;
  }

  // Largest error of the recorded five best log-probabilities over all prompts.
  double probability_error(const Model& subject) const {
    double largest = 0;
    for (const auto& prompt : expected["prompts"]) {
      const auto ids = prompt["ids"].get<std::vector<int32_t>>();
      const at::Tensor log_p = subject.run(data::prompt_batch(ids)).output.logits()[0][-1].log_softmax(0);
      for (const auto& best : prompt["top5"]) {
        largest = std::max(largest, std::abs(log_p[best[0].get<int64_t>()].item<double>() - best[1].get<double>()));
      }
    }
    return largest;
  }

  std::string path;
  nlohmann::json expected;
  Model model;
};

TEST_F(SmolLM2, ProbabilitiesAndGreedyTokensAreTheRecordedOnes) {
  EXPECT_LT(probability_error(model), 2e-3);
  for (const auto& prompt : expected["prompts"]) {
    const auto ids = prompt["ids"].get<std::vector<int32_t>>();
    const auto greedy = prompt["greedy"].get<std::vector<int32_t>>();
    EXPECT_EQ(generate(model, ids, {.max_tokens = static_cast<int64_t>(greedy.size())}), greedy) << prompt["prompt"];
  }
}

TEST_F(SmolLM2, RowsInTheWrongOrderAreCaught) {
  const ScopedTwin twin("nn.gguf_rows_not_permuted");
  EXPECT_GT(probability_error(load_checkpoint(path).model), 0.1);
}

TEST_F(SmolLM2, LossesOfStoriesAreTheRecordedOnes) {
  const data::Corpus corpus = data::read_corpus(data_path("text/tinystories_1000.txt"), {.limit = 20});
  const data::EncodedCorpus encoded = data::encode(corpus, data::load_tokenizer(path), {.context = 256});
  const auto& losses = expected["tinystories"]["loss"];
  for (int64_t row = 0; row < 20; ++row) {
    const std::vector<int64_t> rows{row};
    const data::Batch batch = data::make_batch(encoded.dataset, rows);
    const auto tokens = batch.counted.sum().item<double>();
    const auto& recorded = losses[static_cast<size_t>(row)];
    EXPECT_NEAR(evaluate(model, batch, loss()).item<double>() / tokens, recorded[0].get<double>(), 1e-3)
        << "story " << row;
  }
}

}  // namespace
}  // namespace assay::nn
