// What is never chosen: tokens of a padded vocabulary that no tokenizer has.
#include <gtest/gtest.h>

#include <algorithm>

#include "assay/core/twin.h"
#include "assay/nn/generate.h"
#include "tests/nn/decoders.h"

namespace assay::nn {
namespace {

// Pythia's 50277 tokens are padded to 50304; what the rows behind them hold is up to the training run.
TEST(Generation, TokensBeyondTheTokenizersAreNeverChosen) {
  const Model fresh = tiny_decoder("gpt_neox");
  constexpr int64_t kUsable = 20, kAll = 29;
  Parameters weights = fresh.parameters().clone();
  at::Tensor head = weights[weights.size() - 1];
  head.narrow(0, kUsable, kAll - kUsable).mul_(20);  // some of them are the likeliest everywhere
  const Model model = fresh.with(weights);
  const std::vector<int32_t> prompt{3, 17, 11};
  const auto largest = [&](double temperature, int64_t usable) {
    const auto text =
        generate(model, prompt, {.max_tokens = 40, .temperature = temperature, .seed = 4, .usable_vocabulary = usable});
    return *std::max_element(text.begin(), text.end());
  };
  for (const double temperature : {0.0, 1.0}) {
    EXPECT_LT(largest(temperature, kUsable), kUsable) << temperature;
    EXPECT_GE(largest(temperature, 0), kUsable) << "none of them was likely";
    EXPECT_GE(largest(temperature, kAll + 5), kUsable) << "a tokenizer may have more tokens than the model";
    const ScopedTwin twin("nn.padded_vocabulary_chosen");
    EXPECT_GE(largest(temperature, kUsable), kUsable) << temperature;
  }
}

}  // namespace
}  // namespace assay::nn
