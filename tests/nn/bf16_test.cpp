// Models of bf16 against float64 models of the same rounded weights, for every family of decoders: what differs is that
// activations and gradients are rounded where products read them.
//
// A rounding is off by 2^-9 of a number at most, by less than 2^-10 in the mean square; a product of many passes on its
// inputs' relative error. From the embedding to the logits stand at most eleven products one after the other (two
// blocks of queries, scores, mixing, output, MLP up and down; the head), whose errors are independent and add up like
// sqrt(11) · 2^-10 = 0.3 %; weights of deviation 0.3 make scores of several, through which softmax multiplies an error
// up to some five times. Norm by norm 2 % has to hold, and nothing that is wrong stays below it.
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "assay/core/twin.h"
#include "assay/data/batch.h"
#include "assay/nn/generate.h"
#include "assay/nn/gradients.h"
#include "tests/nn/decoders.h"

namespace assay::nn {
namespace {

constexpr double kBf16Error = 0.02;
// Twice the way, up to the loss and down again; and what reaches queries and keys is a difference of numbers of one
// size (softmax's slope), which doubles it. On the matrix unit the products of attention round as well, forward and
// back: in the mean of all layers and families 0.030 instead of 0.026.
constexpr double kBf16GradientError = 5 * kBf16Error;

struct Twins {
  Model rounded, exact;  // the same weights
  explicit Twins(const std::string& name)
      : rounded(tiny_decoder(name, at::kBFloat16)), exact(rounded.with(rounded.parameters().to(at::kDouble))) {}
};

data::Batch texts_of(at::ScalarType dtype) {
  const data::Dataset texts = random_texts({12, 9, 12});
  const std::vector<int64_t> rows{0, 1, 2};
  return data::make_batch(texts, rows, dtype);
}

data::Batch prompt_of(const std::vector<int32_t>& tokens) {
  return data::prompt_batch(std::vector<std::vector<int32_t>>{tokens});
}

double norm_error(const at::Tensor& found, const at::Tensor& expected) {
  return found.to(at::kDouble).sub(expected).norm().item<double>() / expected.norm().item<double>();
}

class Bf16Model : public ::testing::TestWithParam<std::string> {};

TEST_P(Bf16Model, LogitsAreThoseOfTheRoundedWeights) {
  const Twins twins(GetParam());
  EXPECT_EQ(twins.rounded.dtype(), at::kFloat);
  EXPECT_EQ(twins.rounded.matrix_dtype(), at::kBFloat16);
  const at::Tensor expected = twins.exact.run(texts_of(at::kDouble)).output.logits();
  const auto error = [&] {
    const at::Tensor found = twins.rounded.run(texts_of(at::kFloat)).output.logits();
    EXPECT_EQ(found.scalar_type(), at::kFloat);
    return norm_error(found, expected);
  };
  EXPECT_LT(error(), kBf16Error);
  EXPECT_GT(error(), 1e-4) << "nothing was rounded";
  const ScopedTwin twin("nn.rounded_input_of_another_layer");
  EXPECT_GT(error(), kBf16Error);
}

TEST_P(Bf16Model, GradientsOfActivationsAndOfExamples) {
  const Twins twins(GetParam());
  const std::vector<LayerId> layers = twins.exact.architecture().match_layers("*");
  const auto gradients = [&](const Model& model) {
    std::map<LayerId, FactoredGradient> pairs;
    stream_gradients(model, texts_of(model.dtype()), loss(), layers,
                     [&](const FactoredGradient& pair) { pairs[pair.layer] = pair; });
    return pairs;
  };
  const auto found = gradients(twins.rounded), expected = gradients(twins.exact);
  ASSERT_EQ(found.size(), expected.size());
  for (const auto& [layer, pair] : found) {
    const std::string& name = twins.exact.architecture().layers()[static_cast<size_t>(layer)].name;
    EXPECT_TRUE(pair.is_bf16());
    EXPECT_LT(norm_error(pair.output_gradient, expected.at(layer).output_gradient), kBf16GradientError) << name;
    EXPECT_LT(norm_error(pair.dense(), expected.at(layer).dense()), kBf16GradientError) << name;
  }
  const ScopedTwin twin("nn.mean_for_sum");
  const auto wrong = gradients(twins.rounded);
  EXPECT_GT(norm_error(wrong.begin()->second.dense(), expected.at(wrong.begin()->first).dense()), kBf16GradientError);
}

TEST_P(Bf16Model, GoingOnFromACacheChangesNothing) {
  const Twins twins(GetParam());
  const data::Dataset texts = random_texts({12});
  const std::vector<int32_t>& tokens = texts.examples[0].tokens;
  const at::Tensor whole = twins.rounded.run(prompt_of(tokens)).output.logits()[0].to(at::kDouble);
  const std::vector<int32_t> first(tokens.begin(), tokens.begin() + 7), rest(tokens.begin() + 7, tokens.end());
  const auto error_after = [&] {
    KeyValueCache cache;
    const auto logits = [&](const std::vector<int32_t>& more) {
      return twins.rounded.run(prompt_of(more), {}, {.cache = &cache, .first_block = 0, .state = {}})
          .output.logits()[0];
    };
    EXPECT_LT(norm_error(logits(first), whole.narrow(0, 0, 7)), kBf16Error);
    return norm_error(logits(rest), whole.narrow(0, 7, 5));
  };
  // Sums of other lengths end in other last bits, which now and then round the other way; and few queries of many keys
  // are multiplied in float32, whole texts of narrow heads in bf16.
  EXPECT_LT(error_after(), kBf16Error);
  EXPECT_EQ(generate(twins.rounded, first, {.max_tokens = 5}).size(), 5u);
  const ScopedTwin twin("nn.cache_forgets_what_it_held");
  EXPECT_GT(error_after(), kBf16Error);
}

TEST_P(Bf16Model, TapsOfSingleHeadsReadTheSameWeights) {
  const Twins twins(GetParam());
  const auto logits = [&](const Model& model) {
    return model
        .run(texts_of(model.dtype()), Taps{}.record("blocks.0.hook_q_input").record("blocks.1.attn.hook_result"))
        .output.logits();
  };
  const at::Tensor exact = logits(twins.exact);
  EXPECT_LT(norm_error(logits(twins.rounded), exact), kBf16Error);
  const ScopedTwin twin("nn.single_heads_of_the_next");
  EXPECT_GT(norm_error(logits(twins.rounded), exact), kBf16Error);
}

TEST_P(Bf16Model, TakesHalfTheMemory) {
  const Model model = tiny_decoder(GetParam(), at::kBFloat16);
  int64_t bytes = 0;
  for (const at::Tensor& tensor : model.parameters().tensors()) {
    EXPECT_EQ(tensor.scalar_type(), tensor.dim() == 2 ? at::kBFloat16 : at::kFloat);
    bytes += tensor.numel() * (tensor.dim() == 2 ? 2 : 4);
  }
  EXPECT_EQ(model.parameters().bytes(), bytes);
}

INSTANTIATE_TEST_SUITE_P(Families, Bf16Model,
                         ::testing::Values("llama", "llama, tied", "llama, biased", "qwen2, windows", "gpt2", "gpt_neo",
                                           "gpt_neox", "gpt_neox, sequential"),
                         [](const auto& parameter) {
                           std::string name;
                           for (const char c : parameter.param) name += c == ' ' || c == ',' ? '_' : c;
                           return name;
                         });

TEST(Bf16Pairs, OperationsEqualThoseOfTheSameNumbersInFloat64) {
  at::manual_seed(7);
  FactoredGradient pair, exact;
  pair.input = at::randn({3, 7, 40}).to(at::kBFloat16);
  pair.output_gradient = at::randn({3, 7, 50}).to(at::kBFloat16);
  pair.has_bias = true;
  exact.has_bias = true;
  exact.input = pair.input.to(at::kDouble);
  exact.output_gradient = pair.output_gradient.to(at::kDouble);
  constexpr double kSums = 2e-6;          // float32 sums of a few hundred products
  constexpr double kRounded = 2.0 / 512;  // one more number rounded to bf16 on the way
  EXPECT_LT(norm_error(pair.dense(), exact.dense()), kSums);
  EXPECT_LT(norm_error(pair.squared_norm(), exact.squared_norm()), kSums);
  const auto sums_error = [&] {
    const at::Tensor squares = at::zeros({50, 41}), of_inputs = at::zeros({41, 41}), of_outputs = at::zeros({50, 50});
    pair.add_squares_to(squares);
    pair.add_input_covariance_to(of_inputs);
    pair.add_output_covariance_to(of_outputs);
    const at::Tensor a = exact.activations().flatten(0, 1), g = exact.output_gradient.flatten(0, 1);
    return std::max({norm_error(squares, exact.dense().square().sum(0)),
                     norm_error(of_inputs.triu(), a.t().matmul(a).triu()),
                     norm_error(of_outputs.triu(), g.t().matmul(g).triu())});
  };
  EXPECT_LT(sums_error(), kSums);
  const at::Tensor left = at::randn({50, 50}), right = at::randn({41, 41}), queries = at::randn({40, 50, 41});
  const at::Tensor l = left.to(at::kDouble), r = right.to(at::kDouble), q = queries.to(at::kDouble);
  const auto rotation_error = [&] { return norm_error(pair.rotate(left, right).dense(), exact.rotate(l, r).dense()); };
  EXPECT_LT(rotation_error(), kRounded);
  const auto dot_error = [&](int64_t count) {
    // Terms of either sign: a sum's error is to be measured by what its terms are, not by what they happen to leave.
    const at::Tensor some = q.narrow(0, 0, count);
    const at::Tensor terms = some.square().flatten(1).matmul(exact.dense().square().flatten(1).t()).sqrt();
    const at::Tensor error = pair.dot(queries.narrow(0, 0, count)).to(at::kDouble).sub(exact.dot(some));
    return error.norm().item<double>() / terms.norm().item<double>();
  };
  for (const int64_t count : {1, 8, 40}) EXPECT_LT(dot_error(count), kRounded);
  {
    const ScopedTwin twin("nn.dot_without_bias");
    EXPECT_GT(dot_error(40), 10 * kRounded);
  }
  EXPECT_LT(norm_error(pair.dot_per_token(queries), exact.dot_per_token(q)), kRounded);
  const auto projection_error = [&](int64_t rank) {
    const auto of = [&](const FactoredGradient& each, const at::Tensor& on_left, const at::Tensor& on_right) {
      return each.project(on_left.narrow(1, 0, rank), on_right.narrow(1, 0, rank));
    };
    return norm_error(of(pair, left, right), of(exact, l, r));
  };
  for (const int64_t rank : {3, 20}) EXPECT_LT(projection_error(rank), 2 * kRounded) << rank;  // and what they give
  EXPECT_LT(projection_error(16), kRounded);  // projections alone are rounded: their sums are those of float32
  {
    const ScopedTwin twin("kernel.last_position_left_out");
    EXPECT_GT(projection_error(16), 10 * kRounded);
  }
  {
    const ScopedTwin twin("kernel.bf16_result_rounded");
    EXPECT_GT(sums_error(), kSums);
  }
  {
    const ScopedTwin twin("nn.covariance_without_bias");
    EXPECT_GT(sums_error(), 100 * kSums);
  }
  const ScopedTwin twin("nn.rotation_without_bias");
  EXPECT_GT(rotation_error(), 10 * kRounded);
}

}  // namespace
}  // namespace assay::nn
