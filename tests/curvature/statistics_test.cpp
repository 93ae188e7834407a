// The sums that factors are made of: parts of the data add up to the whole, and the scale of the loss goes through them
// (checks 8 and 10 of the EK-FAC sheet).
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <type_traits>

#include "assay/core/twin.h"
#include "assay/curvature/covariance.h"
#include "assay/curvature/eigenbasis.h"
#include "assay/curvature/second_moments.h"
#include "assay/nn/gradients.h"
#include "tests/support/toy.h"

namespace assay::curvature {
namespace {

// Float64 sums over a few hundred terms, relative to the largest.
constexpr double kSumRounding = 1e-12;

double relative_gap(const at::Tensor& value, const at::Tensor& expected) {
  return value.sub(expected).abs().max().item<double>() / expected.abs().max().item<double>();
}

using Blocks = std::map<nn::LayerId, FactoredBlock>;

Blocks standard_bases(std::span<const nn::LayerId> layers) {
  Blocks blocks;
  for (const nn::LayerId layer : layers) blocks[layer];
  return blocks;
}

// Adds the rows [from, to) in batches of five.
template <class Sums>
void add_rows(Sums& sums, const nn::Model& model, const data::Dataset& dataset, int64_t from, int64_t to) {
  for (int64_t first = from; first < to; first += 5) {
    std::vector<int64_t> rows(static_cast<size_t>(std::min<int64_t>(5, to - first)));
    std::iota(rows.begin(), rows.end(), first);
    const data::Batch batch = data::make_batch(dataset, rows, at::kDouble);
    if constexpr (std::is_same_v<Sums, SecondMoments>) sums.count(batch.size());
    nn::stream_gradients(model, batch, nn::loss(), all_layers(model),
                         [&](const nn::FactoredGradient& gradient) { sums.add(gradient); });
  }
}

TEST(Covariances, MergeBeforeTheyAreDivided) {
  const ToyMlp shape;
  const nn::Model model = toy_mlp(shape);
  const data::Dataset dataset = toy_arrays(20, shape);
  const auto layers = all_layers(model);
  const auto gap = [&] {
    Covariances whole(model.architecture(), layers, at::kDouble);
    Covariances few(model.architecture(), layers, at::kDouble), many(model.architecture(), layers, at::kDouble);
    add_rows(whole, model, dataset, 0, 20);
    add_rows(few, model, dataset, 0, 5);
    add_rows(many, model, dataset, 5, 20);
    few.merge(many);
    double worst = 0;
    for (const nn::LayerId layer : layers) {
      const KroneckerFactors merged = few.finish(layer), expected = whole.finish(layer);
      worst =
          std::max({worst, relative_gap(merged.input, expected.input), relative_gap(merged.output, expected.output)});
    }
    return worst;
  };
  EXPECT_LT(gap(), kSumRounding);
  // The last batch of each part, but of the whole only one; sums of 20 divided by 5.
  for (const char* error : {"curvature.covariance_of_one_batch", "curvature.merge_forgets_the_count"}) {
    const ScopedTwin twin(error);
    EXPECT_GT(gap(), 1e-3) << error;
  }
}

// The first 5 of 20 arrays and the rest against all of them, in a basis of the data's own.
double gap_of_merged_moments(const ToyMlp& shape) {
  const nn::Model model = toy_mlp(shape);
  const data::Dataset dataset = toy_arrays(20, shape);
  const auto layers = all_layers(model);
  Covariances covariances(model.architecture(), layers, at::kDouble);
  add_rows(covariances, model, dataset, 0, 20);
  Blocks bases;
  for (const nn::LayerId layer : layers) {
    const KroneckerFactors factors = covariances.finish(layer);
    bases[layer] = {eigen_of(factors.output).vectors, eigen_of(factors.input).vectors, {}};
  }
  SecondMoments whole(model.architecture(), bases, at::kDouble);
  SecondMoments few(model.architecture(), bases, at::kDouble), many(model.architecture(), bases, at::kDouble);
  add_rows(whole, model, dataset, 0, 20);
  add_rows(few, model, dataset, 0, 5);
  add_rows(many, model, dataset, 5, 20);
  few.merge(many);
  double worst = 0;
  for (const nn::LayerId layer : layers) worst = std::max(worst, relative_gap(few.finish(layer), whole.finish(layer)));
  return worst;
}

TEST(SecondMoments, MergeBeforeTheyAreDivided) {
  EXPECT_LT(gap_of_merged_moments({}), kSumRounding);
  {
    const ScopedTwin twin("curvature.merge_forgets_the_count");
    EXPECT_GT(gap_of_merged_moments({}), 1e-3);
  }
  // With one layer batches follow each other directly: under the twin every part rotates the inputs of its own first
  // batch for all of them, and the parts begin elsewhere.
  const ToyMlp one_layer{.features = 4, .hidden = {}, .outputs = 3};
  EXPECT_LT(gap_of_merged_moments(one_layer), kSumRounding);
  const ScopedTwin twin("curvature.rotated_input_of_another_batch");
  EXPECT_GT(gap_of_merged_moments(one_layer), 1e-3);
}

// Check 10, on the statistics: the loss times c leaves A and multiplies S and Λ by c².
TEST(Statistics, FollowTheScaleOfTheLoss) {
  const nn::Model model = toy_llama();
  const data::Dataset dataset = toy_texts(8, 3, 9);
  const auto layers = all_layers(model);
  const data::Batch batch = data::make_batch(dataset, std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7}, at::kDouble);
  const double c = 3;
  nn::Measurement scaled = nn::loss();
  scaled.evaluate = [c, plain = scaled.evaluate](const nn::Output& output, const data::Batch& given) {
    return plain(output, given).mul(c);
  };
  const auto add = [&](const nn::Measurement& measurement, Covariances& products, SecondMoments& squares) {
    squares.count(batch.size());
    nn::stream_gradients(model, batch, measurement, layers, [&](const nn::FactoredGradient& gradient) {
      products.add(gradient);
      squares.add(gradient);
    });
  };
  Covariances covariances(model.architecture(), layers, at::kDouble);
  SecondMoments moments(model.architecture(), standard_bases(layers), at::kDouble);
  add(nn::loss(), covariances, moments);
  const auto gap = [&] {
    Covariances scaled_covariances(model.architecture(), layers, at::kDouble);
    SecondMoments scaled_moments(model.architecture(), standard_bases(layers), at::kDouble);
    add(scaled, scaled_covariances, scaled_moments);
    double worst = 0;
    for (const nn::LayerId layer : layers) {
      const KroneckerFactors plain = covariances.finish(layer), times_c = scaled_covariances.finish(layer);
      worst = std::max({worst, relative_gap(times_c.input, plain.input),
                        relative_gap(times_c.output, plain.output.mul(c * c)),
                        relative_gap(scaled_moments.finish(layer), moments.finish(layer).mul(c * c))});
    }
    return worst;
  };
  EXPECT_LT(gap(), 100 * kSumRounding);  // the gradients themselves are rounded after some fifty operations
  const ScopedTwin twin("nn.mean_for_sum");
  EXPECT_GT(gap(), 1e-3);
}

}  // namespace
}  // namespace assay::curvature
