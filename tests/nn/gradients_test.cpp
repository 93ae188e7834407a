// Per-example gradients against one backward pass an example, and every operation on the factored pair against its
// dense form, all in float64.
#include "assay/nn/gradients.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "assay/core/twin.h"
#include "assay/kernel/example_tiles.h"
#include "assay/kernel/product_sums.h"
#include "tests/nn/models.h"
#include "tests/support/errors.h"

namespace assay::nn {
namespace {

std::vector<LayerId> all_layers(const Model& model) {
  return model.architecture().match_layers("*");
}

// D of every layer by an ordinary backward pass of one example alone: [layer] → [O,M], bias as the last column.
std::vector<at::Tensor> reference_gradients(const Model& model, const data::Batch& example,
                                            const Measurement& measurement) {
  Model copy = model.with(model.parameters().clone());
  copy.parameters().require_gradients(true);
  const at::Tensor value = measurement.evaluate(copy.run(example).output, example).sum();
  std::vector<at::Tensor> gradients;
  for (LayerId id : all_layers(model)) {
    const Layer& layer = model.architecture().layers()[static_cast<size_t>(id)];
    std::vector<at::Tensor> inputs{copy.parameters()[static_cast<size_t>(layer.weight)]};
    if (layer.bias >= 0) inputs.push_back(copy.parameters()[static_cast<size_t>(layer.bias)]);
    const auto result = torch::autograd::grad({value}, inputs, {}, /*retain_graph=*/true);
    gradients.push_back(result.size() == 1 ? result[0] : at::cat({result[0], result[1].unsqueeze(1)}, 1));
  }
  return gradients;
}

// Largest relative error of the streamed gradients of a padded batch against the reference, over layers and examples.
double stream_error(const Model& model, const data::Dataset& dataset, const Measurement& measurement,
                    int64_t positions = 0) {
  const data::Batch batch = whole(dataset, at::kDouble, positions);
  std::map<LayerId, at::Tensor> dense;
  stream_gradients(model, batch, measurement, all_layers(model),
                   [&](const FactoredGradient& pair) { dense[pair.layer] = pair.dense(); });
  double largest = 0;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const std::vector<int64_t> row{i};
    const auto reference = reference_gradients(model, data::make_batch(dataset, row, at::kDouble), measurement);
    for (size_t l = 0; l < reference.size(); ++l) {
      const at::Tensor error = dense.at(all_layers(model)[l])[i].sub(reference[l]);
      largest = std::max(largest, error.norm().item<double>() / reference[l].norm().item<double>());
    }
  }
  return largest;
}

constexpr double kRounding = 1e-12;  // float64 sums of at most a few hundred terms, relative to their norm

TEST(Gradients, EqualOneBackwardPassAnExample) {
  EXPECT_LT(stream_error(tiny_llama(), random_texts({9, 4, 12}), loss()), kRounding);
  EXPECT_LT(stream_error(tiny_llama(), random_texts({9, 4, 12}), log_probability(), 20), kRounding);
  EXPECT_LT(stream_error(tiny_llama(/*tied=*/true), random_texts({5, 8}), margin()), kRounding);
  EXPECT_LT(stream_error(tiny_mlp("classification"), random_arrays(7), loss()), kRounding);
  EXPECT_LT(stream_error(tiny_mlp("regression"), random_arrays(7), loss()), kRounding);
  EXPECT_LT(stream_error(tiny_mlp("classification", /*repeats=*/3), random_arrays(7), loss()), kRounding);
}

TEST(Gradients, ForgottenCallsAndMeansAreCaught) {
  {
    const ScopedTwin twin("nn.repeated_layer_counted_once");
    EXPECT_GT(stream_error(tiny_mlp("classification", 3), random_arrays(7), loss()), 1e-2);
  }
  const data::Dataset texts = random_texts({9, 4, 12});
  const at::Tensor sum = evaluate(tiny_llama(), whole(texts), loss());
  const ScopedTwin twin("nn.mean_for_sum");
  EXPECT_GT(difference(evaluate(tiny_llama(), whole(texts), loss()), sum), 1);
}

// Queries, keys and values read one input; here nothing comes back from the values.
TEST(Gradients, ReachAnInputOneOfWhoseReadersIsCutOff) {
  const Model model = tiny_llama();
  const Facts facts = model.architecture().facts();
  const data::Batch batch = whole(random_texts({9}));
  const at::Tensor values = at::randn({batch.tokens.size(1), facts.heads, facts.head_width});
  const std::string site = "blocks.1.attn.hook_v";
  std::map<LayerId, at::Tensor> dense;
  const auto keep = [&](const FactoredGradient& pair) { dense[pair.layer] = pair.dense().squeeze(0); };
  const auto run = model.run(batch, Taps{}.capture(all_layers(model), keep).replace(site, values));
  torch::autograd::backward({loss().evaluate(run.output, batch).sum()}, {});

  Model copy = model.with(model.parameters().clone());
  copy.parameters().require_gradients(true);
  const at::Tensor value = loss().evaluate(copy.run(batch, Taps{}.replace(site, values)).output, batch).sum();
  for (const LayerId id : all_layers(model)) {
    const Layer& layer = model.architecture().layers()[static_cast<size_t>(id)];
    const auto expected = torch::autograd::grad({value}, {copy.parameters()[static_cast<size_t>(layer.weight)]}, {},
                                                /*retain_graph=*/true, /*create_graph=*/false, /*allow_unused=*/true);
    ASSERT_EQ(dense.contains(id), expected[0].defined()) << layer.name;
    if (!expected[0].defined()) continue;
    EXPECT_LT(dense[id].sub(expected[0]).norm().item<double>(), kRounding * expected[0].norm().item<double>())
        << layer.name;
  }
  EXPECT_EQ(dense.size() + 1, all_layers(model).size());
}

TEST(Gradients, ContextTokensDoNotCount) {
  data::Dataset texts = random_texts({9});
  texts.examples[0].first_counted = 8;  // only the last token is measured
  const data::Batch batch = whole(texts);
  const at::Tensor all =
      token_log_probabilities(tiny_llama().run(whole(random_texts({9}))).output, whole(random_texts({9})));
  // One row of logits instead of eight: another order of sums in float64.
  EXPECT_NEAR(evaluate(tiny_llama(), batch, log_probability()).item<double>(), all[0][7].item<double>(), 1e-12);
}

TEST(Gradients, PaddingNeverCounts) {
  const data::Dataset texts = random_texts({9, 4});
  const double alone = evaluate(tiny_llama(), data::make_batch(texts, std::vector<int64_t>{1}), loss()).item<double>();
  const auto in_company = [&] { return evaluate(tiny_llama(), whole(texts), loss())[1].item<double>(); };
  EXPECT_NEAR(in_company(), alone, 1e-12);
  const ScopedTwin twin("nn.padding_is_counted");
  EXPECT_GT(std::abs(in_company() - alone), 1);
}

TEST(Gradients, OneTokenTextsMeasureZero) {
  const at::Tensor value = evaluate(tiny_llama(), whole(random_texts({1})), loss());
  EXPECT_EQ(value.item<double>(), 0.0);
}

class FactoredPair : public ::testing::Test {
 protected:
  FactoredPair() {
    pair.input = at::randn({3, 7, 4}, at::kDouble);
    pair.output_gradient = at::randn({3, 7, 5}, at::kDouble);
    pair.has_bias = true;
    pair.mask = whole(random_texts({8, 5, 6})).mask;
    pair.output_gradient.mul_(pair.mask.unsqueeze(2));
    const at::Tensor a = at::cat({pair.input, at::ones({3, 7, 1}, at::kDouble)}, 2).mul(pair.mask.unsqueeze(2));
    dense = pair.output_gradient.transpose(1, 2).matmul(a);
    a_rows = a.flatten(0, 1);
  }
  at::Tensor input_covariance() const {
    const at::Tensor sum = at::zeros({5, 5}, at::kDouble);
    pair.add_input_covariance_to(sum);
    return kernel::mirrored(sum);
  }

  FactoredGradient pair;
  at::Tensor dense, a_rows;
};

TEST_F(FactoredPair, OperationsEqualTheirDenseForm) {
  EXPECT_LT(difference(pair.dense(), dense), kRounding);
  const at::Tensor queries = at::randn({40, 5, 5}, at::kDouble);
  const at::Tensor dots = queries.flatten(1).matmul(dense.flatten(1).t());
  EXPECT_LT(difference(pair.dot(queries), dots), 1e-11);
  EXPECT_LT(difference(pair.dot(queries.narrow(0, 0, 1)), dots.narrow(0, 0, 1)), 1e-11);  // the other contraction
  EXPECT_LT(difference(pair.dot_per_token(queries).sum(2), dots), 1e-11);
  EXPECT_LT(difference(pair.squared_norm(), dense.square().sum({1, 2})), 1e-11);
  const at::Tensor squares = at::zeros({5, 5}, at::kDouble);
  pair.add_squares_to(squares);
  EXPECT_LT(difference(squares, dense.square().sum(0)), 1e-11);
  EXPECT_LT(difference(input_covariance(), a_rows.t().matmul(a_rows)), 1e-11);
  const at::Tensor g = pair.output_gradient.flatten(0, 1);
  const at::Tensor of_outputs = at::zeros({5, 5}, at::kDouble);
  pair.add_output_covariance_to(of_outputs);
  EXPECT_LT(difference(kernel::mirrored(of_outputs), g.t().matmul(g)), 1e-11);
  EXPECT_EQ(pair.real_positions(), 7 + 4 + 5);
  const at::Tensor left = at::randn({5, 5}, at::kDouble), right = at::randn({5, 5}, at::kDouble);
  EXPECT_LT(difference(pair.rotate(left, right).dense(), left.t().matmul(dense).matmul(right)), 1e-11);
}

// Large layers in float32 take contractions of their own; against float64, whose contractions are those of small ones.
TEST(Gradients, LargeLayersGiveTheProductsOfSmallOnes) {
  const auto error = [](int64_t queries, int64_t positions) {
    FactoredGradient wide;
    wide.input = at::randn({8, positions, 700}, at::kDouble);
    wide.output_gradient = at::randn({8, positions, 520}, at::kDouble);
    wide.has_bias = true;
    FactoredGradient single = wide;
    single.input = wide.input.to(at::kFloat);
    single.output_gradient = wide.output_gradient.to(at::kFloat);
    const at::Tensor u = at::randn({queries, 520, 701}, at::kDouble), exact = wide.dot(u);
    const double size = exact.abs().max().item<double>();
    return single.dot(u.to(at::kFloat)).to(at::kDouble).sub(exact).abs().max().item<double>() / size;
  };
  // Float32 sums of 364,520 products of either sign: the largest is some 3,000 roundings' square root of 6e-8 away.
  for (const int64_t queries : {1, 3, 12, 20}) EXPECT_LT(error(queries, 30), 1e-5) << queries;
  EXPECT_LT(error(2, 3), 1e-5);
  const at::Tensor number = at::zeros({1, 1, 1});
  if (!kernel::can_tile(number, number)) return;
  const ScopedTwin twin("kernel.tiles_drop_a_share");
  EXPECT_GT(error(12, 30), 1e-5);
  EXPECT_LT(error(1, 30), 1e-5);  // one query needs no tiles
}

TEST_F(FactoredPair, UnmaskedPaddingIsCaught) {
  const ScopedTwin twin("nn.padding_unmasked");
  EXPECT_GT(difference(input_covariance(), a_rows.t().matmul(a_rows)), 0.1);
}

TEST(SampledLabels, FollowTheModelAndBelongToTheExample) {
  // 3,000 copies of one array under different ids: label frequencies are binomial around the model's probabilities.
  const Model model = tiny_mlp("classification");
  data::Dataset copies;
  const data::Example example = random_arrays(1).examples[0];
  for (uint64_t i = 0; i < 3000; ++i) copies.examples.push_back(example), copies.examples.back().id = i;
  const data::Batch batch = whole(copies);
  const at::Tensor losses = evaluate(model, batch, sampled_label_loss(5));
  const at::Tensor log_p = model.run(batch).output.logits()[0][0].log_softmax(0);
  for (int64_t k = 0; k < 3; ++k) {
    const double p = log_p[k].exp().item<double>();
    const double share = losses.add(log_p[k]).abs().lt(1e-9).to(at::kDouble).mean().item<double>();
    EXPECT_NEAR(share, p, 4 * std::sqrt(p * (1 - p) / 3000)) << "class " << k;  // four standard errors, seed fixed
  }
  const std::vector<int64_t> some{7, 42};
  const at::Tensor alone = evaluate(model, data::make_batch(copies, some, at::kDouble), sampled_label_loss(5));
  // The same label: another one would cost something else. Products of other batch sizes round otherwise.
  EXPECT_NEAR(alone[1].item<double>(), losses[42].item<double>(), 1e-12);
  EXPECT_GT(difference(evaluate(model, batch, sampled_label_loss(6)), losses), 0.01);
}

TEST(HeadLogProbabilities, EqualTheirPlainForm) {
  const Model model = tiny_llama(true);
  const data::Batch batch = whole(random_texts({9, 12}));
  const Output output = model.run(batch).output;
  const Output plain{.kind = output.kind, .hidden = output.logits(), .head = {}};
  EXPECT_LT(difference(token_log_probabilities(output, batch), token_log_probabilities(plain, batch)), 1e-12);
}

}  // namespace
}  // namespace assay::nn
