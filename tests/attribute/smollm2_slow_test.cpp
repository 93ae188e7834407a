// Gradient dot products of SmolLM2 against single float64 backward passes.
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <cstdio>
#include <map>

#include "assay/core/twin.h"
#include "assay/data/corpus.h"
#include "assay/data/encode.h"
#include "assay/nn/checkpoint.h"
#include "tests/support/data.h"
#include "tests/support/scoring.h"
#include "tests/support/smollm2.h"

namespace assay::attribute {
namespace {

using PairsByLayer = std::map<nn::LayerId, nn::FactoredGradient>;

// One text, one backward pass, kept factored: dense, a gradient takes 850 MB in float64.
PairsByLayer pairs_of(const nn::Model& model, const data::Dataset& dataset, int64_t row) {
  PairsByLayer pairs;
  const data::Batch batch = data::make_batch(dataset, std::span(&row, 1), model.dtype());
  nn::stream_gradients(model, batch, nn::loss(), all_layers(model),
                       [&](const nn::FactoredGradient& gradient) { pairs[gradient.layer] = gradient; });
  return pairs;
}

// ⟨Σ_t g_t a_tᵀ, Σ_s h_s b_sᵀ⟩ = Σ_{t,s} (g_t·h_s)(a_t·b_s), over all layers.
double inner_product(const PairsByLayer& x, const PairsByLayer& y) {
  double sum = 0;
  for (const auto& [layer, left] : x) {
    const nn::FactoredGradient& right = y.at(layer);
    const at::Tensor g = left.output_gradient[0].matmul(right.output_gradient[0].t());
    sum += g.mul(left.activations()[0].matmul(right.activations()[0].t())).sum().item<double>();
  }
  return sum;
}

/// ⟨∇, ∇⟩ over the tracked weights, by the framework's own weight gradients: no captured pair takes part.
double inner_product_of_weight_gradients(const nn::Model& model, const data::Dataset& dataset, int64_t x, int64_t y) {
  nn::Parameters leaves = model.parameters();
  leaves.require_gradients(true);
  const nn::Model watched = model.with(leaves);
  std::vector<at::Tensor> weights;
  for (const nn::LayerId layer : all_layers(model))
    weights.push_back(leaves[static_cast<size_t>(model.architecture().layers()[static_cast<size_t>(layer)].weight)]);
  const auto gradients_of = [&](int64_t row) {
    const data::Batch batch = data::make_batch(dataset, std::span(&row, 1), model.dtype());
    return torch::autograd::grad({nn::loss().evaluate(watched.run(batch).output, batch).sum()}, weights);
  };
  const auto left = gradients_of(x), right = gradients_of(y);
  double sum = 0;
  for (size_t i = 0; i < left.size(); ++i) sum += left[i].mul(right[i]).sum().item<double>();
  return sum;
}

TEST(SmolLM2Gradients, DotProductsEqualSingleFloat64BackwardPasses) {
  const std::string path = smollm2_path(), text = data_path("text/tinystories_1000.txt");
  if (path.empty()) GTEST_SKIP() << no_smollm2();
  if (text.empty()) GTEST_SKIP() << no_data("text/tinystories_1000.txt");
  constexpr int64_t kQueries = 2, kDocuments = 10;
  const data::Corpus corpus = data::read_corpus(text, {.limit = kQueries + kDocuments});
  const data::Dataset stories = data::encode(corpus, data::load_tokenizer(path), {.context = 32}).dataset;
  const Scoring scoring{nn::load_checkpoint(path).model,
                        data::subset(stories, std::vector<int64_t>{2, 3, 4, 5, 6, 7, 8, 9, 10, 11}),
                        data::subset(stories, std::vector<int64_t>{0, 1})};
  at::Tensor expected = at::zeros({kQueries, kDocuments}, at::kDouble), norms = expected.clone();
  {
    const nn::Model exact = scoring.model.with(scoring.model.parameters().to(at::kDouble));
    std::vector<PairsByLayer> pairs;
    for (int64_t row = 0; row < kQueries + kDocuments; ++row) pairs.push_back(pairs_of(exact, stories, row));
    for (size_t q = 0; q < kQueries; ++q) {
      for (size_t i = 0; i < kDocuments; ++i) {
        const PairsByLayer &query = pairs[q], &document = pairs[kQueries + i];
        const auto place = expected[static_cast<int64_t>(q)][static_cast<int64_t>(i)];
        place.fill_(inner_product(query, document));
        norms[static_cast<int64_t>(q)][static_cast<int64_t>(i)].fill_(
            std::sqrt(inner_product(query, query) * inner_product(document, document)));
      }
    }
    const double by_weights = inner_product_of_weight_gradients(exact, stories, 0, 2);
    EXPECT_NEAR(expected[0][0].item<double>(), by_weights, 1e-9 * std::abs(by_weights));  // both in float64
  }
  // The error of a dot product is a share of ‖∇f‖ ‖∇ℓ‖, whatever the angle between them, and gradients through 30
  // blocks are right to about 1e-5 in float32: pairs at a cosine of 0.1 or more are held to 1e-4 of themselves. In the
  // others cancellation takes digits that the gradients do not have.
  const at::Tensor clear = expected.div(norms).abs().ge(0.1);
  ASSERT_GE(clear.sum().item<int64_t>(), 4);
  const auto errors = [&] {
    const at::Tensor error = scoring.total("identity").to(at::kDouble).sub(expected).abs();
    return std::pair(error.div(expected.abs()).masked_select(clear).max().item<double>(),
                     error.div(norms).max().item<double>());
  };
  const auto [of_itself, of_norms] = errors();
  std::printf("%d of %d pairs at a cosine of 0.1 or more: relative error %.1e; all: %.1e of the norms\n",
              static_cast<int>(clear.sum().item<int64_t>()), static_cast<int>(clear.numel()), of_itself, of_norms);
  EXPECT_LT(of_itself, 1e-4);
  EXPECT_LT(of_norms, 2e-5);  // 1e-5 of either gradient
  const ScopedTwin twin("nn.mean_for_sum");
  EXPECT_GT(errors().first, 1e-2);
}

}  // namespace
}  // namespace assay::attribute
