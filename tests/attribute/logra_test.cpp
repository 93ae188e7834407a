// Projected gradients and the scores made of them, against dense products in float64: the checks of the LoGra sheet.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "assay/attribute/projected_rows.h"
#include "assay/core/twin.h"
#include "assay/curvature/dense.h"
#include "tests/support/errors.h"
#include "tests/support/indexing.h"

namespace assay::attribute {
namespace {

using curvature::Projection;

constexpr curvature::Ranks kRanks{5, 4};

Projection random_for(const nn::Model& model, uint64_t seed = 1, curvature::Ranks ranks = kRanks) {
  return curvature::random_projection(model.architecture(), all_layers(model), ranks, seed, model.dtype());
}

at::Tensor rows_of(const Scoring& scoring, const data::Dataset& dataset, const nn::Measurement& measurement,
                   const Projection& given, bool with_sums = false) {
  Projection projection = given;
  return projected_rows(scoring.model, dataset, measurement, projection, with_sums, scoring.memory_bytes, "document", 0,
                        [](int64_t) {})
      .rows;
}

Scoring logra_texts() {
  return {toy_llama(), toy_texts(12, 2, 11, 1), toy_texts(4, 3, 8, 2)};
}

Scoring logra_arrays() {
  const ToyMlp shape{.features = 4, .hidden = {6, 5}, .outputs = 3};
  return {toy_mlp(shape), toy_arrays(20, shape, 1), toy_arrays(5, shape, 2)};
}

// Check 1, with texts of several lengths in a batch (padding, T > 1), arrays (T = 1, biases) and a layer that runs
// thrice.
TEST(ProjectedRows, EqualTheProjectionOfTheDenseGradient) {
  const ToyMlp repeated{.features = 4, .hidden = {6, 6}, .outputs = 3, .repeats = 3};
  const Scoring shared{toy_mlp(repeated), toy_arrays(9, repeated, 1), toy_arrays(3, repeated, 2)};
  for (const Scoring& scoring : {logra_texts(), logra_arrays(), shared}) {
    const Projection projection = random_for(scoring.model);
    const at::Tensor expected = projected_gradients(scoring, scoring.train, nn::loss(), projection);
    const auto error = [&](bool with_sums) {
      const at::Tensor rows = rows_of(scoring, scoring.train, nn::loss(), projection, with_sums);
      return largest_difference(rows, expected) / largest(expected);
    };
    EXPECT_LT(error(false), 1e-12);  // float64; sums of a few hundred terms
    EXPECT_LT(error(true), 1e-12);
    if (scoring.train.longest() == 0) continue;  // arrays are of one length and keep their order
    const ScopedTwin twin("attribute.rows_in_batch_order");
    EXPECT_GT(error(false), 1e-3);
  }
  const Scoring biased = logra_arrays();
  const Projection projection = random_for(biased.model);
  const at::Tensor expected = projected_gradients(biased, biased.train, nn::loss(), projection);
  const ScopedTwin twin("nn.projection_without_bias");
  EXPECT_GT(largest_difference(rows_of(biased, biased.train, nn::loss(), projection), expected),
            1e-3 * largest(expected));
}

// The same on single pairs: whichever side is projected first, and where masked positions carry anything at all.
TEST(FactoredGradient, ProjectsInEveryOrderAndLeavesMaskedPositionsOut) {
  struct Shape {
    int64_t positions, outputs, inputs, rank_out, rank_in;
  };
  // Both first; inputs first, then contracted (long, thin outputs); outputs first (a wide input, a low rank of
  // outputs).
  for (const Shape& s :
       {Shape{1, 6, 7, 3, 4}, Shape{5, 30, 30, 4, 4}, Shape{200, 6, 40, 6, 3}, Shape{40, 30, 60, 1, 50}}) {
    for (const bool has_bias : {false, true}) {
      nn::FactoredGradient pair;
      pair.input = at::randn({3, s.positions, s.inputs}, at::kDouble);
      pair.output_gradient = at::randn({3, s.positions, s.outputs}, at::kDouble);
      pair.mask = at::randn({3, s.positions}, at::kDouble).gt(-0.7);
      pair.has_bias = has_bias;
      const at::Tensor left = at::randn({s.outputs, s.rank_out}, at::kDouble);
      const at::Tensor right = at::randn({pair.columns(), s.rank_in}, at::kDouble);
      const at::Tensor expected = left.t().matmul(pair.dense()).matmul(right);
      const auto error = [&] { return largest_difference(pair.project(left, right), expected) / largest(expected); };
      EXPECT_LT(error(), 1e-12);
      const at::Tensor shared = pair.project_onto(left, pair.projected_activations(right));
      EXPECT_LT(largest_difference(shared, expected) / largest(expected), 1e-12);
      if (s.positions != 40) {  // there the mask comes in with the activations
        const ScopedTwin twin("nn.projection_unmasked");
        if (pair.mask.all().item<bool>()) continue;
        EXPECT_GT(error(), 1e-3);
      }
    }
  }
}

// Check 8: what LogIX attaches beside a layer, a path C B A with B = 0, changes no output, and its derivative in B is
// Z. Here nothing is attached: the run that hands the pairs out has the outputs of one that does not.
TEST(ProjectedRows, AreTheDerivativeOfASidePathThatChangesNothing) {
  const Scoring scoring = logra_arrays();
  const nn::Model& model = scoring.model;
  const std::vector<int64_t> rows{0, 1, 2};
  const data::Batch batch = data::make_batch(scoring.train, rows, at::kDouble);
  const auto layers = all_layers(model);
  const at::Tensor plain = model.run(batch).output.logits();
  const at::AutoGradMode with_history(true);
  const auto tapped = [&] {
    return model.run(batch, nn::Taps{}.capture(layers, [](const nn::FactoredGradient&) {})).output.logits().detach();
  };
  EXPECT_TRUE(tapped().equal(plain));
  {
    const ScopedTwin twin("nn.captured_layer_with_a_side_path");
    EXPECT_FALSE(tapped().equal(plain));
  }

  // The last layer, whose input is the hidden state: y + C B A x with C = P_oᵀ and A = P_i.
  const Projection projection = random_for(model);
  const auto& sides = projection.of(layers.back());
  at::Tensor input;
  nn::stream_gradients(model, batch, nn::loss(), layers, [&](const nn::FactoredGradient& pair) {
    if (pair.layer == layers.back()) input = pair.activations().squeeze(1);  // [B,M]
  });
  at::Tensor b = at::zeros({sides.output.size(1), sides.input.size(1)}, at::kDouble).requires_grad_(true);
  const at::Tensor beside = input.matmul(sides.input).matmul(b.t()).matmul(sides.output.t());
  const at::Tensor logits = plain.detach().squeeze(1).add(beside);
  EXPECT_TRUE(logits.detach().equal(plain.squeeze(1)));
  const at::Tensor loss = logits.log_softmax(1).gather(1, batch.targets).neg().sum();
  const at::Tensor derivative = torch::autograd::grad({loss}, {b})[0];
  const data::Dataset three = data::subset(scoring.train, rows);
  const curvature::LayerShape shape = projection.shape(layers.back());
  const auto error = [&] {
    const at::Tensor z = rows_of(scoring, three, nn::loss(), projection).sum({0});
    const at::Tensor last = z.narrow(0, projection.offset(layers.back()), shape.size()).view_as(derivative);
    return largest_difference(last, derivative) / largest(derivative);
  };
  EXPECT_LT(error(), 1e-12);
  const ScopedTwin twin("nn.projection_without_bias");
  EXPECT_GT(error(), 1e-3);
}

// Check 2: an orthonormal projection of full rank loses nothing. tr(H) is invariant, so λ is the same.
TEST(Logra, OfFullRankIsInfluenceWithTheEmpiricalFisher) {
  for (Scoring scoring : {logra_texts(), logra_arrays()}) {
    Indexing indexing{
        scoring, {.projection = ProjectionKind::Principal, .rank_out = 99, .rank_in = 99, .rows = RowType::Float64}};
    const at::Tensor rows = flat_gradients(scoring.model, scoring.train, nn::loss());
    const at::Tensor queries = flat_gradients(scoring.model, scoring.queries, nn::loss());
    std::vector<int64_t> cuts{0};
    for (const nn::LayerId layer : all_layers(scoring.model))
      cuts.push_back(cuts.back() + curvature::shape_of(scoring.model.architecture(), layer).size());
    const at::Tensor expected = dense_influence(queries, rows, cuts);
    const auto error = [&] { return largest_difference(indexing.scores_of_new(), expected) / largest(expected); };
    EXPECT_LT(error(), 1e-8);
    for (const char* mistake : {"curvature.dual_without_the_count", "attribute.damping_of_the_first_layer"}) {
      const ScopedTwin twin(mistake);
      EXPECT_GT(error(), 1e-3) << mistake;
    }
  }
}

// Check 2, second half: without curvature it is the product of the gradients themselves, layer by layer. Exactly so in
// the rows, and in the scores where the damping, which is then all that is inverted, is taken out again.
TEST(Logra, OfFullRankWithoutCurvatureIsTheProductOfGradients) {
  for (const Scoring& scoring : {logra_texts(), logra_arrays()}) {
    Indexing indexing{
        scoring, {.projection = ProjectionKind::Principal, .rank_out = 99, .rank_in = 99, .rows = RowType::Float64}};
    const TemporaryFolder folder;
    indexing.build(folder / "index");
    const GradientIndex index(folder / "index");
    const at::Tensor documents = flat_gradients(scoring.model, scoring.train, nn::loss());
    const at::Tensor questions = flat_gradients(scoring.model, scoring.queries, nn::loss());
    const Projection projection = index.projection(scoring.model.architecture());
    constexpr double kDamping = 1e9;
    const auto errors = [&] {  // of the rows' products, and of the scores
      const at::Tensor z = all_rows(folder / "index"), q = rows_of(scoring, scoring.queries, nn::loss(), projection);
      const at::Tensor scores = indexing.scorer(index, "logra(damping=1e9)")
                                    ->scan(1, scoring.queries.size(), true, {}, silent_progress())
                                    .per_layer;
      double of_rows = 0, of_scores = 0;
      int64_t begin = 0;
      for (size_t l = 0; l < index.about().layers.size(); ++l) {
        const IndexAbout::Layer& layer = index.about().layers[l];
        const int64_t size = layer.full.size();
        const at::Tensor d = documents.narrow(1, begin, size);
        const at::Tensor product = questions.narrow(1, begin, size).matmul(d.t());
        const auto part = [&](const at::Tensor& all) { return all.narrow(1, layer.offset, layer.shape.size()); };
        const double mean = d.square().sum().item<double>() / static_cast<double>(d.size(0) * size);
        of_rows = std::max(of_rows, largest_difference(part(q).matmul(part(z).t()), product) / largest(product));
        of_scores =
            std::max(of_scores, largest_difference(scores[static_cast<int64_t>(l)].mul(mean * kDamping), product) /
                                    largest(product));
        begin += size;
      }
      return std::pair(of_rows, of_scores);
    };
    EXPECT_LT(errors().first, 1e-10);
    EXPECT_LT(errors().second, 1e-6);  // the largest eigenvalue over λ
    {
      const ScopedTwin twin("attribute.damping_of_the_first_layer");
      EXPECT_GT(errors().second, 1e-3);
    }
    if (scoring.train.longest() == 0) continue;
    const ScopedTwin twin("attribute.rows_in_batch_order");  // of the questions
    EXPECT_GT(errors().first, 1e-3);
  }
}

// Check 3: inner products are kept on average, whatever the shape. At rank 8 the ratio of one draw has a standard
// deviation of √((1 + 2/8)² − 1) = 0.75, so that 4,000 leave 0.012, and 0.05 is four of it.
TEST(RandomProjection, KeepsInnerProductsOnAverageWhateverTheShape) {
  const auto mean_ratio = [](int64_t outputs, int64_t inputs) {
    const at::Tensor g = at::randn({outputs}, at::kDouble), a = at::randn({inputs}, at::kDouble);
    const at::Tensor d = g.unsqueeze(1).mul(a), other = d.add(at::randn({outputs, inputs}, at::kDouble), 0.3);
    const double exact = d.mul(other).sum().item<double>();
    const nlohmann::json config{{"model_type", "mlp"},
                                {"features", inputs},
                                {"hidden", nlohmann::json::array()},
                                {"outputs", outputs},
                                {"bias", false}};
    const nn::Model model = nn::initialize(nn::make_architecture(config), 0, at::kDouble);
    double sum = 0;
    for (uint64_t seed = 0; seed < 4000; ++seed) {
      const Projection projection = random_for(model, seed, {8, 8});
      const auto& sides = projection.of(0);
      const auto z = [&](const at::Tensor& matrix) { return sides.output.t().matmul(matrix).matmul(sides.input); };
      sum += z(d).mul(z(other)).sum().item<double>();
    }
    return sum / 4000 / exact;
  };
  for (const auto& [outputs, inputs] : {std::pair(32, 32), std::pair(64, 16), std::pair(16, 256)}) {
    EXPECT_NEAR(mean_ratio(outputs, inputs), 1, 0.05) << outputs << " by " << inputs;
    const ScopedTwin twin("curvature.projection_scaled_by_shape");
    EXPECT_GT(std::abs(mean_ratio(outputs, inputs) - 1), 0.05) << outputs << " by " << inputs;
  }
}

TEST(RandomProjection, BelongsToSeedAndNameAlone) {
  const nn::Model model = toy_llama();
  const auto layers = all_layers(model);
  const Projection all = random_for(model);
  const std::vector<nn::LayerId> last{layers.back()};
  const Projection alone = curvature::random_projection(model.architecture(), last, kRanks, 1, at::kDouble);
  EXPECT_TRUE(all.of(layers.back()).input.equal(alone.of(layers.back()).input));
  EXPECT_TRUE(all.of(layers.back()).output.equal(alone.of(layers.back()).output));
  EXPECT_FALSE(all.of(layers.back()).output.equal(random_for(model, 2).of(layers.back()).output));
  EXPECT_FALSE(all.of(layers[0]).output.equal(all.of(layers[3]).output)) << "two layers of one shape";
  EXPECT_TRUE(all.of(layers[0]).input.is_same(all.of(layers[1]).input)) << "query and key read the same";
}

// Scores are those of a dense solve in the projected space, with fewer and with more rows than dimensions.
TEST(Logra, IsTheDenseSolveInTheProjectedSpace) {
  for (const int64_t rank : {2, 5}) {
    const Scoring scoring = logra_texts();
    const Indexing indexing{scoring, {.rank_out = rank, .rank_in = rank, .seed = 1}};
    const Projection projection = random_for(scoring.model, 1, {rank, rank});
    std::vector<int64_t> cuts{0};
    for (const nn::LayerId layer : projection.layers()) cuts.push_back(cuts.back() + projection.shape(layer).size());
    const at::Tensor rows = projected_gradients(scoring, scoring.train, nn::loss(), projection);
    const at::Tensor expected =
        dense_influence(projected_gradients(scoring, scoring.queries, nn::loss(), projection), rows, cuts);
    // Rows are stored as float32: 6e-8 of the largest number of each, over a few hundred of them.
    Indexing exact = indexing;
    exact.settings.rows = RowType::Float64;
    const auto error = [&](const Indexing& each) {
      return largest_difference(each.scores_of_new(), expected) / largest(expected);
    };
    EXPECT_LT(error(exact), 1e-9);
    EXPECT_LT(error(indexing), 1e-5);
    const ScopedTwin twin("attribute.projection_of_another_seed");
    EXPECT_GT(error(exact), 0.1);
  }
}

// Check 6: without curvature it is the product of projected gradients, and groups of layers add up.
TEST(Logra, AtALargeDampingIsTheProductOfProjectedGradients) {
  const Scoring scoring = logra_arrays();
  Indexing indexing{scoring, {.rank_out = 3, .rank_in = 4, .rows = RowType::Float64}};
  const TemporaryFolder folder;
  indexing.build(folder / "index");
  const GradientIndex index(folder / "index");
  const double damping = 1e9;
  const auto scorer = indexing.scorer(index, "logra(damping=1e9)");
  const std::vector<LayerGroup> groups{{"first", {0}}, {"others", {1, 2}}};
  const ScanResult found = scorer->scan(20, scoring.queries.size(), true, groups, silent_progress());

  const Projection projection = index.projection(scoring.model.architecture());
  const at::Tensor z = projected_gradients(scoring, scoring.train, nn::loss(), projection);
  const at::Tensor q = projected_gradients(scoring, scoring.queries, nn::loss(), projection);
  at::Tensor expected;
  for (size_t l = 0; l < 3; ++l) {
    const IndexAbout::Layer& layer = index.about().layers[l];
    const auto part = [&](const at::Tensor& all) { return all.narrow(1, layer.offset, layer.shape.size()); };
    const double mean = part(z).square().sum().item<double>() / 20 / static_cast<double>(layer.shape.size());
    const at::Tensor product = part(q).matmul(part(z).t()).div(mean * damping);
    EXPECT_LT(largest_difference(found.per_layer[static_cast<int64_t>(l)], product), 1e-6 * largest(product));
    expected = expected.defined() ? expected.add(product) : product;
  }
  EXPECT_LT(largest_difference(found.whole, expected), 1e-6 * largest(expected));  // w_max/λ relative to the largest
  EXPECT_LT(largest_difference(found.per_layer.sum({0}), found.whole), 1e-12 * largest(expected));
  EXPECT_LT(largest_difference(found.group_whole[0].add(found.group_whole[1]), found.whole), 1e-12 * largest(expected));
  const ScopedTwin twin("attribute.damping_of_the_first_layer");
  const at::Tensor wrong = indexing.scorer(index, "logra(damping=1e9)")->scan(3, 5, false, {}, silent_progress()).whole;
  EXPECT_GT(largest_difference(wrong, expected), 1e-2 * largest(expected));
}

// Check 9.
TEST(Logra, AnswersTheSameTwice) {
  const Scoring scoring = logra_arrays();
  const Indexing indexing{scoring, {.rank_out = 3, .rank_in = 3}};
  const TemporaryFolder folder;
  indexing.build(folder / "index");
  const GradientIndex index(folder / "index");
  const auto scan = [&] { return indexing.scorer(index)->scan(3, 5, false, {}, silent_progress()).whole; };
  EXPECT_TRUE(scan().equal(scan()));
  at::Tensor rows = at::randn({40, 6}, at::kDouble);
  const curvature::DenseCurvature dense("dense",
                                        {{0, {.name = "a", .shape = {2, 3}, .matrix = rows.t().matmul(rows).div(40)}}});
  const at::Tensor v = at::randn({3, 2, 3}, at::kDouble);
  const auto solve = [&] { return dense.solve(v, 0, curvature::Damping::relative(0.1)); };
  EXPECT_TRUE(solve().equal(solve()));
  const ScopedTwin twin("curvature.dense_damping_in_place");
  EXPECT_FALSE(solve().equal(solve()));
}

// Check 9, second half.
TEST(Logra, DoesNotDependOnTheOrderOfLayers) {
  const Scoring scoring = logra_arrays();
  const Indexing indexing{scoring, {.rank_out = 3, .rank_in = 3}};
  const TemporaryFolder folder;
  indexing.build(folder / "index");
  const GradientIndex index(folder / "index");
  const auto error = [&] {
    const at::Tensor forwards = indexing.scorer(index)->scan(3, 5, false, {}, silent_progress()).whole;
    Inputs reversed = indexing.inputs(index);
    std::ranges::reverse(reversed.layers);
    const LograScorer backwards(reversed, index, IndexMode::Dot, 0.1, silent_progress());
    const at::Tensor again = backwards.scan(3, 5, false, {}, silent_progress()).whole;
    return largest_difference(again, forwards) / largest(forwards);
  };
  EXPECT_LT(error(), 1e-12);
  const ScopedTwin twin("attribute.damping_of_the_first_layer");
  EXPECT_GT(error(), 1e-3);
}

}  // namespace
}  // namespace assay::attribute
