// Gradient dot products of SmolLM2 against single float64 backward passes.
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

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

TEST(SmolLM2Gradients, DotProductsEqualSingleFloat64BackwardPasses) {
  const std::string path = smollm2_path(), text = data_path("text/tinystories_1000.txt");
  if (path.empty()) GTEST_SKIP() << no_smollm2();
  if (text.empty()) GTEST_SKIP() << no_data("text/tinystories_1000.txt");
  const data::Corpus corpus = data::read_corpus(text, {.limit = 4});
  const data::Dataset stories = data::encode(corpus, data::load_tokenizer(path), {.context = 32}).dataset;
  const Scoring scoring{nn::load_checkpoint(path).model, data::subset(stories, std::vector<int64_t>{2, 3}),
                        data::subset(stories, std::vector<int64_t>{0, 1})};
  at::Tensor expected = at::zeros({2, 2}, at::kDouble), norms = expected.clone();
  {
    const nn::Model exact = scoring.model.with(scoring.model.parameters().to(at::kDouble));
    for (int64_t q = 0; q < 2; ++q) {
      const PairsByLayer query = pairs_of(exact, scoring.queries, q);
      for (int64_t i = 0; i < 2; ++i) {
        const PairsByLayer document = pairs_of(exact, scoring.train, i);
        expected[q][i] = inner_product(query, document);
        norms[q][i] = std::sqrt(inner_product(query, query) * inner_product(document, document));
      }
    }
  }
  // The error of a dot product is a share of ‖∇f‖ ‖∇ℓ‖, whatever the angle between them: 1e-5 of it is the asked 1e-4
  // of the product itself at a cosine of 0.1, and stricter for every pair above. Below, cancellation takes digits that
  // float32 gradients do not have: through 30 blocks they are right to about 1e-5.
  const auto error = [&] {
    const at::Tensor scores = scoring.total("identity").to(at::kDouble);
    for (int64_t pair = 0; pair < 4; ++pair) {
      const double found = scores.flatten()[pair].item<double>(), wanted = expected.flatten()[pair].item<double>();
      std::printf("pair %d: %.8g, in float64 %.8g, relative %.1e, cosine %.3f\n", static_cast<int>(pair), found, wanted,
                  std::abs(found / wanted - 1), wanted / norms.flatten()[pair].item<double>());
    }
    return scores.sub(expected).abs().div(norms).max().item<double>();
  };
  EXPECT_LT(error(), 1e-5);
  const ScopedTwin twin("nn.mean_for_sum");
  EXPECT_GT(error(), 1e-2);
}

}  // namespace
}  // namespace assay::attribute
