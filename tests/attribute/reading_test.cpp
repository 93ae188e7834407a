// How a model read a text, against its own logits.
#include "assay/attribute/reading.h"

#include <ATen/ops/log_softmax.h>
#include <gtest/gtest.h>

#include <cmath>

#include "assay/core/twin.h"
#include "assay/data/batch.h"
#include "tests/nn/models.h"

namespace assay::attribute {
namespace {

TEST(Reading, IsTheModelsLogProbabilityOfEachToken) {
  const nn::Model model = nn::tiny_llama();
  const data::Example example = nn::random_texts({9}).examples[0];
  const at::Tensor expected = model.run(data::prompt_batch(example.tokens)).output.logits()[0].log_softmax(-1);
  const std::vector<TokenReading> readings = read_tokens(model, example, 3);
  ASSERT_EQ(readings.size(), 9u);
  EXPECT_EQ(readings[0].log_probability, 0);
  EXPECT_TRUE(readings[0].alternatives.empty());
  for (size_t t = 1; t < readings.size(); ++t) {
    const at::Tensor of_place = expected[static_cast<int64_t>(t) - 1];
    EXPECT_EQ(readings[t].id, example.tokens[t]);
    EXPECT_NEAR(readings[t].log_probability, of_place[readings[t].id].item<double>(), 1e-12);
    ASSERT_GE(readings[t].alternatives.size(), 3u);
    EXPECT_NEAR(readings[t].alternatives[0].probability, std::exp(of_place.max().item<double>()), 1e-12);
  }
}

// A padded vocabulary has rows that are no token: nothing could be shown for them.
TEST(Reading, NamesNoTokenThatTheTokenizerLacks) {
  const nn::Model model = nn::tiny_llama();
  data::Example example = nn::random_texts({9}).examples[0];
  constexpr int32_t kUsable = 5;
  for (int32_t& token : example.tokens) token %= kUsable;
  const auto all_usable = [&] {
    for (const TokenReading& reading : read_tokens(model, example, 4, kUsable))
      for (const auto& each : reading.alternatives)
        if (each.id >= kUsable) return false;
    return true;
  };
  EXPECT_TRUE(all_usable());
  EXPECT_EQ(read_tokens(model, example, 100, kUsable)[1].alternatives.size(), static_cast<size_t>(kUsable));
  const ScopedTwin twin("attribute.padding_is_read");
  EXPECT_FALSE(all_usable());
}

}  // namespace
}  // namespace assay::attribute
