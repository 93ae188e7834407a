// Which examples of a large corpus a curvature is fitted on, with a small cap in the place of 100,000.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "assay/attribute/cost.h"
#include "assay/attribute/factors.h"
#include "assay/core/twin.h"
#include "tests/support/scoring.h"
#include "tests/support/temporary_folder.h"

namespace assay::attribute {
namespace {

std::set<data::ExampleId> ids_at(const data::Dataset& dataset, const std::vector<int64_t>& rows) {
  std::set<data::ExampleId> ids;
  for (const int64_t row : rows) ids.insert(dataset.examples[static_cast<size_t>(row)].id);
  return ids;
}

data::Dataset turned_around(const data::Dataset& dataset) {
  data::Dataset turned = dataset;
  std::ranges::reverse(turned.examples);
  return turned;
}

bool is_independent_of_order(const data::Dataset& dataset) {
  const data::Dataset turned = turned_around(dataset);
  return ids_at(dataset, *fit_rows(dataset, 20, 1)) == ids_at(turned, *fit_rows(turned, 20, 1));
}

TEST(FitRows, AreAllWhereThereAreNotTooMany) {
  const data::Dataset dataset = toy_texts(50, 3, 9);
  EXPECT_FALSE(fit_rows(dataset, 50, 1));
  EXPECT_FALSE(fit_rows(dataset, kFitExamples, 1));
  EXPECT_EQ(kFitExamples, 100'000);
}

TEST(FitRows, AreSoManyInTheOrderOfTheCorpusAndTheSameAgain) {
  const data::Dataset dataset = toy_texts(50, 3, 9);
  const auto rows = fit_rows(dataset, 20, 1);
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->size(), 20u);
  EXPECT_TRUE(std::ranges::is_sorted(*rows));
  EXPECT_EQ(ids_at(dataset, *rows).size(), 20u);
  EXPECT_EQ(fit_rows(dataset, 20, 1), rows);
  EXPECT_NE(fit_rows(dataset, 20, 2), rows);
  const auto fewer = fit_rows(dataset, 12, 1);
  EXPECT_TRUE(std::ranges::includes(*rows, *fewer)) << "the smallest draws";
}

TEST(FitRows, BelongToTheExamplesNotToTheirPlaces) {
  const data::Dataset dataset = toy_texts(50, 3, 9);
  EXPECT_TRUE(is_independent_of_order(dataset));
  const ScopedTwin twin("attribute.fit_rows_by_place");
  EXPECT_FALSE(is_independent_of_order(dataset));
}

TEST(FitRows, AreDrawnEvenly) {
  const data::Dataset dataset = toy_texts(40, 3, 9);
  std::vector<int> drawn(40);
  for (uint64_t seed = 0; seed < 400; ++seed) {
    const std::optional<std::vector<int64_t>> rows = fit_rows(dataset, 10, seed);
    ASSERT_TRUE(rows);
    for (const int64_t row : *rows) ++drawn[static_cast<size_t>(row)];
  }
  for (const int count : drawn) EXPECT_NEAR(count, 100, 45);  // standard deviation 8.7: five of them
}

TEST(FittedOnAPart, ScoresEverythingWithThePartsCurvature) {
  const Scoring scoring{toy_llama(), toy_texts(30, 3, 9, 1), toy_texts(3, 4, 7, 2)};
  Inputs capped = scoring.inputs();
  capped.fit_examples = 12;
  Scoring part = scoring;
  part.train = data::subset(scoring.train, *fit_rows(scoring.train, 12, scoring.seed));
  const Inputs alone = part.inputs();
  const FactoryCall method = parse_factory("ekfac", method_table(), "method");
  const auto of_capped = make_scorer(method, capped, silent_progress());
  const auto of_part = make_scorer(method, alone, silent_progress());
  curvature::Workspace first, second;
  const at::Tensor scores = of_capped->score({scoring.train}, {}, first, silent_progress()).total;
  EXPECT_EQ(scores.size(1), 30);
  EXPECT_TRUE(scores.equal(of_part->score({scoring.train}, {}, second, silent_progress()).total));
  const auto says_so = [](const std::vector<std::string>& warnings) {
    return std::ranges::any_of(warnings, [](const std::string& warning) {
      return warning.find("fitted on 12 of 30 training examples") != std::string::npos;
    });
  };
  EXPECT_TRUE(says_so(of_capped->warnings()));
  EXPECT_FALSE(says_so(of_part->warnings()));
}

TEST(FittedOnAPart, IsKeptApartInTheCacheAndCountedInThePlan) {
  const TemporaryFolder folder;
  const Scoring scoring{toy_llama(), toy_texts(30, 3, 9, 1), toy_texts(3, 4, 7, 2)};
  Inputs whole = scoring.inputs();
  whole.cache_folder = folder / "cache";
  Inputs capped = whole, roomy = whole;
  capped.fit_examples = 6;
  roomy.fit_examples = 30;
  const FactoryCall method = parse_factory("ekfac", method_table(), "method");
  const auto flops = [&](const Inputs& inputs) {
    Plan plan{{.flops_per_second_fp32 = 1e9, .flops_per_second_bf16 = 1e9, .bytes_per_second = 1e9}};
    add_fit_stages(plan, method, inputs);
    return plan.stages().empty() ? 0.0 : plan.stages().front().cost.flops;
  };
  EXPECT_EQ(flops(whole), flops(roomy));
  EXPECT_LT(flops(capped), 0.5 * flops(whole));
  EXPECT_GT(flops(capped), 0);
  fitted_curvature(method, capped, silent_progress());
  EXPECT_TRUE(cached_factors(method, capped).moments);
  EXPECT_FALSE(cached_factors(method, whole).moments);
  fitted_curvature(method, whole, silent_progress());
  EXPECT_TRUE(cached_factors(method, roomy).moments) << "a cap that does not apply is no part of the key";
  EXPECT_EQ(flops(capped), 0);
}

}  // namespace
}  // namespace assay::attribute
