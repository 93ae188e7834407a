// What a large damping leaves of influence: the dot product of gradients, each layer's over its own λ (check 5 of the
// EK-FAC sheet), up to the largest damping that the method takes.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "assay/attribute/directions.h"
#include "assay/attribute/walk_batches.h"
#include "assay/core/twin.h"
#include "assay/curvature/fit.h"
#include "tests/support/scoring.h"

namespace assay::attribute {
namespace {

// Check 5: an exact bound on what the curvature still does at a large damping.
TEST(Influence, OfLargeDampingTendsToTheDotProduct) {
  const ToyMlp shape;
  const Scoring scoring{toy_mlp(shape), toy_arrays(30, shape, 1), toy_arrays(4, shape, 2)};
  const at::Tensor train = flat_gradients(scoring.model, scoring.train, nn::loss());
  const at::Tensor queries = flat_gradients(scoring.model, scoring.queries, nn::loss());
  const auto batches = batches_of(scoring.train, 8);
  curvature::Workspace workspace;
  const auto layers = all_layers(scoring.model);
  const curvature::FitRequest request{
      .model = scoring.model, .dataset = scoring.train, .batches = batches, .layers = layers};
  const auto ekfac = curvature::fit_ekfac(request, workspace, silent_progress()).curvature;
  double largest_eigenvalue = 0;
  for (const nn::LayerId layer : layers)
    largest_eigenvalue = std::max(largest_eigenvalue, largest(ekfac->eigenvalues(layer)));
  const at::Tensor dots = queries.matmul(train.t());
  const at::Tensor norms = queries.norm(2, {1}, true).matmul(train.norm(2, {1}, true).t());
  const auto is_within_the_bound = [&](double damping) {
    const std::vector<int64_t> rows{0, 1, 2, 3};
    const Directions u = query_gradients(scoring.model, scoring.queries, rows, nn::loss(), layers)
                             .solve(*ekfac, curvature::Damping::absolute(damping));
    const at::Tensor flat = at::cat({u.at(0).flatten(1), u.at(1).flatten(1)}, 1);
    const at::Tensor error = flat.matmul(train.t()).mul(damping).sub(dots).abs();
    return error.le(norms.mul(largest_eigenvalue / damping).add(1e-12)).all().item<bool>();
  };
  for (const double damping : {1e2, 1e4, 1e6}) EXPECT_TRUE(is_within_the_bound(damping)) << damping;
  const ScopedTwin twin("curvature.damping_added_in_place");  // λ twice halves λ times the score
  EXPECT_FALSE(is_within_the_bound(1e6));
}

double largest_admissible_damping(const std::string& method) {
  for (const FactorySpec& spec : method_table()) {
    for (const FactoryArgument& argument : spec.arguments) {
      if (spec.name == method && argument.name == "damping") return argument.maximum;
    }
  }
  return 0;
}

std::shared_ptr<const curvature::Curvature> curvature_of(const std::string& method, const Scoring& scoring) {
  const auto batches = walk_batches(scoring.model, scoring.train, scoring.memory_bytes);
  curvature::Workspace workspace;
  const curvature::FitRequest request{.model = scoring.model,
                                      .dataset = scoring.train,
                                      .batches = batches,
                                      .layers = all_layers(scoring.model),
                                      .seed = scoring.seed};
  if (method == "diagonal") return curvature::fit_diagonal(request, workspace, silent_progress()).curvature;
  if (method == "kfac") return curvature::fit_kfac(request, workspace, silent_progress()).curvature;
  return curvature::fit_ekfac(request, workspace, silent_progress()).curvature;
}

// In float32, as models run: λ times each layer's score is its gradients' dot product, and none is lost to underflow.
TEST(Influence, OfTheLargestDampingIsTheDotProductOverEachLayersOwn) {
  const ToyMlp shape;  // layers of 30 and of 21 parameters
  Scoring scoring{toy_mlp(shape, 1, at::kFloat), toy_arrays(30, shape, 1), toy_arrays(4, shape, 2)};
  scoring.parts.per_layer = true;
  const at::Tensor train = flat_gradients(scoring.model, scoring.train, nn::loss()).to(at::kDouble);
  const at::Tensor queries = flat_gradients(scoring.model, scoring.queries, nn::loss()).to(at::kDouble);
  for (const char* method : {"ekfac", "kfac", "diagonal"}) {
    const double damping = largest_admissible_damping(method);
    ASSERT_GE(damping, 1e6) << method;  // the directions' own eigenvalues are gone
    ASSERT_TRUE(std::isfinite(damping)) << method;
    const auto curvature = curvature_of(method, scoring);
    const auto worst_error = [&] {
      const at::Tensor per_layer = scoring(fmt::format("{}(damping={})", method, damping)).per_layer.to(at::kDouble);
      double worst = 0;
      for (int64_t layer = 0; layer < 2; ++layer) {
        const int64_t first = layer == 0 ? 0 : 30, count = layer == 0 ? 30 : 21;
        const at::Tensor f = queries.narrow(1, first, count), l = train.narrow(1, first, count);
        const double added = damping * curvature->eigenvalues(layer).to(at::kDouble).mean().item<double>();
        const at::Tensor error = per_layer[layer].mul(added).sub(f.matmul(l.t())).abs();
        worst = std::max(worst, error.div(f.norm(2, {1}, true).matmul(l.norm(2, {1}, true).t())).max().item<double>());
      }
      return worst;
    };
    // Of ‖∇f‖ ‖∇ℓ‖: w_max/λ by the bound above, and w_max is at most 30 times a layer's mean, λ at least 1e6 times; the
    // rest is float32.
    EXPECT_LT(worst_error(), 1e-4) << method;
    const ScopedTwin twin("curvature.damping_of_the_first_layer");  // λ is all that is left, and this is another's
    EXPECT_GT(worst_error(), 1e-2) << method;
  }
}

}  // namespace
}  // namespace assay::attribute
