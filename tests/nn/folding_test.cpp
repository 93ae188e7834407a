// Folded models: the same log-probabilities in every family, a stream and a head without their means, and the given
// model as it was.
#include "assay/nn/folding.h"

#include <ATen/ops/log_softmax.h>
#include <gtest/gtest.h>

#include "assay/core/twin.h"
#include "assay/nn/checkpoint.h"
#include "tests/nn/decoders.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"

namespace assay::nn {
namespace {

// In float64. A matrix that is multiplied out beforehand rounds each of its products once more, 1.1e-16 of it: of the
// up to 64 terms of 10 at most that make an activation, about 1e-13 together. Two blocks of four products each pass
// that on with gains of at most some tens, as the spread of 3 of the logits says: below 1e-11, and far below the
// sheet's 1e-4, which float32 must keep.
constexpr double kRounding = 1e-11, kRoundingInFloat32 = 1e-4;

bool subtracts_means(const std::string& family) {
  return !family.starts_with("llama") && !family.starts_with("qwen2");
}

at::Tensor log_probabilities(const Model& model) {
  const data::Batch batch = whole(random_texts({12, 8}), model.dtype());
  return model.run(batch).output.logits().to(at::kDouble).log_softmax(-1);
}

Model all_of_it(const Model& model, const std::string& family) {
  const Model folded = fold_norms(model);
  return center_unembedding(subtracts_means(family) ? center_writing_weights(folded) : folded);
}

class Folding : public ::testing::TestWithParam<std::string> {
 protected:
  const std::string family = GetParam();
  const Model model = tiny_decoder(family);
  const at::Tensor expected = log_probabilities(model);
};

INSTANTIATE_TEST_SUITE_P(Families, Folding, ::testing::ValuesIn(decoder_variants()), kNameOfVariant);

TEST_P(Folding, LeavesLogProbabilitiesAsTheyAre) {
  const std::string before = model.parameters().hash();
  EXPECT_LT(difference(log_probabilities(fold_norms(model)), expected), kRounding);
  EXPECT_LT(difference(log_probabilities(center_unembedding(model)), expected), kRounding);
  if (subtracts_means(family)) {
    EXPECT_LT(difference(log_probabilities(center_writing_weights(model)), expected), kRounding);
  }
  EXPECT_LT(difference(log_probabilities(all_of_it(model, family)), expected), kRounding);
  const Model narrow = model.with(model.parameters().to(at::kFloat));
  EXPECT_LT(difference(log_probabilities(all_of_it(narrow, family)), log_probabilities(narrow)), kRoundingInFloat32);
  EXPECT_EQ(model.parameters().hash(), before) << "the given model must stay";
}

TEST_P(Folding, IsInTheWeights) {
  const Model folded = all_of_it(model, family);
  const data::Batch batch = whole(random_texts({12, 8}));
  const auto run = folded.run(batch, Taps{}.record("*"));
  EXPECT_FALSE(folded.architecture().facts().head_is_tied);
  EXPECT_LT(run.output.logits().mean(-1).abs().max().item<double>(), kRounding);
  for (const ResidualStream::Norm& norm : folded.architecture().residual_stream().norms) {
    const auto parameter = [&](int64_t place) { return folded.parameters()[static_cast<size_t>(place)]; };
    EXPECT_TRUE(parameter(norm.weight).eq(1).all().item<bool>()) << norm.output;
    const bool has_biases_behind = norm.output != "ln_final.hook_normalized" &&
                                   !(family == "gpt_neo" && norm.output.ends_with("ln1.hook_normalized"));
    if (norm.bias >= 0) {
      EXPECT_EQ(parameter(norm.bias).eq(0).all().item<bool>(), has_biases_behind) << norm.output;
    }
  }
  for (const auto& [site, value] : run.recording->values) {
    if (site.find("hook_resid_") == std::string::npos || !subtracts_means(family)) continue;
    EXPECT_LT(value.mean(-1).abs().max().item<double>(), kRounding) << site;
  }
  EXPECT_GT(model.run(batch, Taps{}.record("*.hook_resid_post"))
                .value("blocks.1.hook_resid_post")
                .mean(-1)
                .abs()
                .max()
                .item<double>(),
            1e-2)
      << "nothing was there to centre";
}

TEST_P(Folding, MistakesChangeLogProbabilities) {
  const auto off = [&](const char* twin) {
    const ScopedTwin on(twin);
    return difference(log_probabilities(all_of_it(model, family)), expected);
  };
  EXPECT_GT(off("nn.folded_weight_stays"), 1e-3);
  EXPECT_GT(off("nn.unembedding_centred_over_width"), 1e-3);
  if (subtracts_means(family)) {
    EXPECT_GT(off("nn.folded_bias_lost"), 1e-3);
    EXPECT_GT(off("nn.centred_over_inputs"), 1e-3);
  } else {
    EXPECT_THAT(error_of([&] { center_writing_weights(model); }),
                Refusal(ErrorKind::Usage, "every norm must subtract the mean of the stream itself"));
    const ScopedTwin on("nn.centred_before_rms_norm");
    EXPECT_GT(difference(log_probabilities(center_writing_weights(model)), expected), 1e-3);
  }
}

// What is folded is a checkpoint like any other.
TEST_P(Folding, IsSavedAndLoaded) {
  const TemporaryFolder folder;
  const Model folded = all_of_it(model, family);
  save_checkpoint(folded, folder.path());
  EXPECT_EQ(load_checkpoint(folder.path(), at::kDouble).model.parameters().hash(), folded.parameters().hash());
}

TEST_P(Folding, AWeightOfZeroStaysInItsNorm) {
  Model with_zero = model.with(model.parameters().clone());
  for (const ResidualStream::Norm& norm : model.architecture().residual_stream().norms)
    with_zero.parameters()[static_cast<size_t>(norm.weight)][3].fill_(0);
  EXPECT_LT(difference(log_probabilities(all_of_it(with_zero, family)), log_probabilities(with_zero)), kRounding);
}

TEST(Folding, ModelsThatItDoesNotSuitAreNamed) {
  EXPECT_THAT(error_of([] { fold_norms(tiny_mlp("classification")); }),
              Refusal(ErrorKind::Usage,
                      "folding norms: the model must have a residual stream that norms read, and this "
                      "mlp model has none"));
  const Model model = tiny_decoder("gpt2");
  const Model narrow = model.with(model.parameters().to(at::kBFloat16));
  EXPECT_THAT(error_of([&] { center_unembedding(narrow); }), Refusal(ErrorKind::Usage, "load the model in fp32 or"));
}

}  // namespace
}  // namespace assay::nn
