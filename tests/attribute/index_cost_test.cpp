// What plans say of an index beside what it then takes.
#include "assay/attribute/index_cost.h"

#include <gtest/gtest.h>

#include "assay/core/cache.h"
#include "assay/core/twin.h"
#include "tests/support/indexing.h"

namespace assay::attribute {
namespace {

Plan plan_of(const Indexing& indexing, int64_t rows_before = 0) {
  const IndexedDocuments documents{.dataset = indexing.scoring.train};
  Plan plan({.flops_per_second_fp32 = 1e11,
             .flops_per_second_bf16 = 1e12,
             .bytes_per_second = 1e10,
             .seconds_per_operator_call = 1e-6});
  add_index_stages(plan, indexing.request(documents), rows_before);
  return plan;
}

Indexing long_index(int64_t rank, RowType type = RowType::Float32) {
  return {{toy_llama(1, at::kFloat), toy_texts(400, 8, 20, 1), toy_texts(2, 3, 8, 2)},
          {.rank_out = rank, .rank_in = rank, .rows = type}};
}

// Sixteen by sixteen of at most 24 by 17 dimensions: half a megabyte of rows a hundred documents.
TEST(IndexPlan, CountsTheDisk) {
  for (const RowType type : {RowType::Float32, RowType::BFloat16, RowType::Int8}) {
    for (const int64_t rank : {4, 16}) {
      const Indexing indexing = long_index(rank, type);
      const TemporaryFolder folder;
      indexing.build(folder / "index");
      const auto planned = static_cast<double>(plan_of(indexing).disk_bytes());
      const auto actual = static_cast<double>(folder_bytes(folder / "index"));
      EXPECT_NEAR(planned, actual, 0.25 * actual) << to_string(type) << " " << rank;
    }
  }
}

TEST(IndexPlan, CountsTheRowsThatAreHeld) {
  const auto growth = [] { return plan_of(long_index(16)).peak_bytes() - plan_of(long_index(4)).peak_bytes(); };
  const Indexing wide = long_index(16), narrow = long_index(4);
  const IndexedDocuments documents{.dataset = wide.scoring.train};
  const auto held = [&](const Indexing& indexing) {
    const IndexAbout about = about_of(indexing.request(documents));
    return 400 * about.columns() * 8;  // as they are made and as they are written
  };
  EXPECT_GE(growth(), held(wide) - held(narrow));
  const ScopedTwin twin("attribute.index_plan_without_rows");
  EXPECT_LT(growth(), held(wide) - held(narrow));
}

TEST(IndexPlan, TakesAWalkMoreForPrincipalDirections) {
  Indexing indexing = long_index(4);
  EXPECT_EQ(plan_of(indexing).stages().size(), 1u);
  indexing.settings.projection = ProjectionKind::Principal;
  EXPECT_EQ(plan_of(indexing).stages().size(), 3u);
  EXPECT_EQ(plan_of(indexing, 100).stages().size(), 1u) << "further documents keep the directions";
}

TEST(IndexPlan, OfAQuestionCountsExactScores) {
  const Indexing indexing = long_index(4);
  const TemporaryFolder folder;
  indexing.build(folder / "index");
  const GradientIndex index(folder / "index");
  const auto stages = [&](const IndexQuestion& question) {
    Plan plan(plan_of(indexing).ceilings());
    const Inputs inputs = indexing.inputs(index);
    add_store_stages(plan, inputs, question, parse_factory("ekfac", method_table(), "method"));
    std::vector<std::string> names;
    for (const PlannedStage& stage : plan.stages()) names.push_back(stage.name);
    return names;
  };
  EXPECT_EQ(stages({}), (std::vector<std::string>{"questions", "scores"}));
  EXPECT_EQ(stages({.needs_self = true, .rescored = 50}),
            (std::vector<std::string>{"questions", "self-influence", "scores", "covariances", "eigendecompositions",
                                      "eigenvalues", "exact scores"}));
}

}  // namespace
}  // namespace assay::attribute
