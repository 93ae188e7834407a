// Attribution in bf16 beside float32, on a real model: the ranking stays, the statistics are told apart.
#include <gtest/gtest.h>

#include "assay/core/twin.h"
#include "assay/curvature/fit.h"
#include "assay/data/corpus.h"
#include "assay/data/encode.h"
#include "assay/math/correlation.h"
#include "assay/nn/checkpoint.h"
#include "tests/support/data.h"
#include "tests/support/scoring.h"

namespace assay::attribute {
namespace {

constexpr int64_t kStoriesInBf16 = 60, kAskedInBf16 = 4;

Scoring scoring_in(at::ScalarType dtype, const std::string& model, const std::string& text) {
  const data::Corpus corpus = data::read_corpus(text, {.limit = kStoriesInBf16 + kAskedInBf16});
  const data::Dataset all = data::encode(corpus, data::load_tokenizer(model), {.context = 128}).dataset;
  std::vector<int64_t> train, queries;
  for (int64_t row = 0; row < all.size(); ++row) (row < kStoriesInBf16 ? train : queries).push_back(row);
  return {nn::load_checkpoint(model, dtype).model, data::subset(all, train), data::subset(all, queries)};
}

/// The lowest rank correlation of a query.
double lowest_spearman(const at::Tensor& found, const at::Tensor& expected) {
  double lowest = 1;
  for (int64_t q = 0; q < found.size(0); ++q) {
    const at::Tensor a = found[q].to(at::kDouble).contiguous(), b = expected[q].to(at::kDouble).contiguous();
    const auto values = [](const at::Tensor& row) {
      return std::span<const double>(row.const_data_ptr<double>(), static_cast<size_t>(row.numel()));
    };
    lowest = std::min(lowest, math::spearman(values(a), values(b)));
  }
  return lowest;
}

TEST(AttributionInBf16, RanksAsFloat32Does) {
  const std::string model = data_path("models/stories260K"), text = data_path("text/tinystories_1000.txt");
  if (model.empty() || text.empty()) GTEST_SKIP() << no_data("models/stories260K");
  const Scoring wide = scoring_in(at::kFloat, model, text), narrow = scoring_in(at::kBFloat16, model, text);
  for (const char* method : {"ekfac", "identity"}) {
    const at::Tensor expected = wide.total(method), found = narrow.total(method);
    EXPECT_EQ(found.scalar_type(), at::kFloat);
    const double rank = lowest_spearman(found, expected);
    RecordProperty(method, std::to_string(rank));
    EXPECT_GT(rank, 0.99) << method;
  }
  const ScopedTwin twin("nn.rounded_input_of_another_layer");
  EXPECT_LT(lowest_spearman(narrow.total("identity"), wide.total("identity")), 0.99);
}

TEST(AttributionInBf16, StatisticsAreNotThoseOfFloat32) {
  const ToyMlp shape{.features = 4, .hidden = {6}, .outputs = 2, .task = "regression"};
  const nn::Model exact = toy_mlp(shape), wide = exact.with(exact.parameters().to(at::kFloat)),
                  narrow = exact.with(exact.parameters().to(at::kBFloat16));
  const data::Dataset dataset = toy_arrays(10, shape, 1);
  const curvature::Batches batches{{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}};
  const auto key = [&](const nn::Model& model) {
    return curvature::fit_key({.model = model, .dataset = dataset, .batches = batches, .layers = all_layers(model)},
                              "hash");
  };
  EXPECT_NE(key(narrow), key(wide));
  EXPECT_EQ(key(wide), key(exact.with(exact.parameters().to(at::kFloat))));
}

}  // namespace
}  // namespace assay::attribute
