// What LoGra's modes make of an index, and what it says and refuses where the curvature is too thin to divide by.
#include <ATen/ops/full.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assay/attribute/shown.h"
#include "assay/core/twin.h"
#include "assay/io/tensor.h"
#include "tests/support/errors.h"
#include "tests/support/indexing.h"

namespace assay::attribute {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Changes one array of a finished index where it lies, checksums and all.
template <class Change>
void change_array(const std::string& folder, const std::string& block, const std::string& array, const Change& change) {
  io::Store store = io::Store::create_or_resume(folder, index_kind(), io::Store::about_in(folder, index_kind()));
  store.reopen();
  io::Arrays arrays = store.read(block);
  at::Tensor values = io::to_tensor(arrays.at(array)).clone();
  change(values);
  arrays[array] = io::from_tensor(values);
  store.write(block, arrays);
  store.finish();
}

class Modes : public testing::Test {
 protected:
  Modes() {
    indexing_.scoring.queries = indexing_.scoring.train;  // the documents as their own questions
    indexing_.build(path_);
  }
  at::Tensor scores(const std::string& mode) const { return indexing_.scores(path_, "logra(mode=" + mode + ")"); }

  TemporaryFolder folder_;
  std::string path_ = folder_ / "index";
  // 9 dimensions a layer and 12 rows: the curvature is a matrix of its own, which a change of the rows leaves alone.
  Indexing indexing_{index_texts(), {.rank_out = 3, .rank_in = 3, .rows = RowType::Float64}};
};

// Check 5, the second half.
TEST_F(Modes, TakeTheDocumentsOwnInfluenceIntoAccount) {
  const GradientIndex index(path_);
  const at::Tensor self = indexing_.scorer(index)->self_influence(silent_progress());
  EXPECT_LT(largest_difference(scores("dot").diagonal(), self), 1e-9 * largest(self));
  const auto l2_error = [&] { return largest_difference(scores("l2").diagonal(), self.div(2)) / largest(self); };
  EXPECT_LT(l2_error(), 1e-9);
  const at::Tensor expected = scores("dot").div(self.sqrt());
  EXPECT_LT(largest_difference(scores("relatif"), expected), 1e-9 * largest(expected));
  const ScopedTwin twin("attribute.l2_without_the_half");
  EXPECT_GT(l2_error(), 0.1);
}

// Check 5, the first half: a document whose gradient is three times as long, with the curvature as it was.
TEST_F(Modes, RelatifAloneIsBlindToTheLengthOfAGradient) {
  const at::Tensor dot = scores("dot"), l2 = scores("l2"), relatif = scores("relatif");
  constexpr int64_t kRow = 4;
  change_array(path_, rows_block(0, 0), "rows", [](at::Tensor& rows) { rows.select(0, kRow).mul_(3); });
  at::Tensor scaled = dot.clone();
  scaled.select(1, kRow).mul_(3);
  EXPECT_LT(largest_difference(scores("dot"), scaled), 1e-9 * largest(dot));
  EXPECT_GT(largest_difference(scores("l2"), l2), 1e-3 * largest(l2));
  const auto changed = [&] { return largest_difference(scores("relatif"), relatif) / largest(relatif); };
  EXPECT_LT(changed(), 1e-9);
  const ScopedTwin twin("attribute.relatif_without_the_root");
  EXPECT_GT(changed(), 1e-3);
}

// A distance has no sign: its list is of the nearest, also where every score is below zero.
TEST_F(Modes, L2ListsTheNearest) {
  change_array(path_, rows_block(0, 0), "rows", [](at::Tensor& rows) { rows.mul_(100); });
  const GradientIndex index(path_);
  const auto scorer = indexing_.scorer(index, "logra(mode=l2)");
  const at::Tensor scores = scorer->scan(3, 12, false, {}, silent_progress()).whole;
  ASSERT_LT(scores.max().item<double>(), 0.0);
  const auto shown = [&] {
    return shown_documents(*scorer, {indexing_.scoring.train}, scores, 0, 3, silent_progress());
  };
  const auto nearest = [&] {
    const at::Tensor order = scores[0].argsort(0, /*descending=*/true);
    return std::vector<int64_t>{order[0].item<int64_t>(), order[1].item<int64_t>(), order[2].item<int64_t>()};
  };
  EXPECT_EQ(shown().top, nearest());
  EXPECT_THAT(shown().bottom, IsEmpty());
  EXPECT_TRUE(scorer->meaning().is_closeness);
  EXPECT_THAT(error_of([&] { scorer->scan(3, 12, true, {}, silent_progress()); }),
              Refusal(ErrorKind::Usage, "a distance between whole gradients has no parts"));
  EXPECT_THAT(error_of([&] {
                scorer->scan(3, 12, false, {{"first", {0}}}, silent_progress());
              }),
              Refusal(ErrorKind::Usage, "leave out --per-token, --per-layer and --layer-groups"));
  const ScopedTwin twin("attribute.l2_of_both_signs");
  EXPECT_NE(shown().top, nearest());
}

// ---- thin curvature ----

class ThinCurvature : public testing::Test {
 protected:
  /// Warnings of an index of so many texts.
  std::vector<std::string> warnings(int64_t texts, IndexSettings settings, const std::string& damping) const {
    const Indexing indexing{{toy_llama(1, at::kFloat), toy_texts(texts, 3, 5, 1), toy_texts(2, 3, 8, 2)}, settings};
    const TemporaryFolder folder;
    indexing.build(folder / "index");
    const GradientIndex index(folder / "index");
    return indexing.scorer(index, "logra(damping=" + damping + ")")->warnings();
  }
};

TEST_F(ThinCurvature, IsSaidWithWhatTheDampingMakesOfIt) {
  const IndexSettings raw{.rank_out = 4, .rank_in = 4};
  const auto said = [&](const std::string& damping) { return warnings(3, raw, damping); };
  EXPECT_THAT(said("0.1"),
              ElementsAre("The projected curvature of 14 of 14 layers lacks full rank (blocks.0.attn.q: 3 of 16): in "
                          "directions that the documents never visit, the damping alone decides."));
  EXPECT_THAT(said("1e-12"), ElementsAre(HasSubstr("little but rounding decides at a damping so small")));
  EXPECT_THAT(said("0"), ElementsAre(HasSubstr("nothing counts without a damping")));
  EXPECT_THAT(warnings(20, raw, "0.1"), IsEmpty());
  IndexSettings kfac{.rank_out = 16, .rank_in = 16, .curvature = IndexCurvature::Kfac};
  EXPECT_THAT(warnings(2, kfac, "0.1"), ElementsAre(HasSubstr("The projected input covariance of ")));
  kfac.rank_in = 4;  // far fewer than the positions
  EXPECT_THAT(warnings(60, kfac, "0.1"), IsEmpty());
  const ScopedTwin twin("attribute.full_rank_of_any_rows");
  EXPECT_THAT(said("1e-12"), IsEmpty());
}

// A float64 reciprocal of what rounding left of an eigenvalue is infinite in float32, and zero times that is NaN.
TEST_F(ThinCurvature, IsRefusedWhereDividingByItIsNotFinite) {
  const Indexing indexing{{toy_llama(1, at::kFloat), toy_texts(3, 3, 5, 1), toy_texts(2, 3, 8, 2)},
                          {.rank_out = 4, .rank_in = 4, .curvature = IndexCurvature::Kfac}};
  const TemporaryFolder folder;
  const std::string path = folder / "index";
  indexing.build(path);
  change_array(path, curvature_block(IndexCurvature::Kfac, "blocks.1.mlp.up", 1), "eigenvalues",
               [](at::Tensor& values) { values[0][0].fill_(1e-42); });
  const GradientIndex index(path);
  const auto refusal = [&](const char* method) { return error_of([&] { indexing.scorer(index, method); }); };
  EXPECT_THAT(
      refusal("logra(damping=0)"),
      Refusal(ErrorKind::Numeric,
              "solving with the kfac curvature of \"blocks.1.mlp.up\": the questions' directions must be "
              "finite, but at damping 0 some are not, because an eigenvalue is nearly zero; raise the damping"));
  EXPECT_FALSE(refusal("logra(damping=0.1)"));
  const ScopedTwin twin("attribute.logra_of_any_number");
  EXPECT_FALSE(refusal("logra(damping=0)"));
}

// A square overflows where the number did not.
TEST_F(ThinCurvature, IsRefusedInTheDocumentsOwnInfluence) {
  const Indexing indexing{{toy_llama(1, at::kFloat), toy_texts(3, 3, 5, 1), toy_texts(2, 3, 8, 2)},
                          {.rank_out = 4, .rank_in = 4, .curvature = IndexCurvature::Kfac}};
  const TemporaryFolder folder;
  const std::string path = folder / "index";
  indexing.build(path);
  change_array(path, curvature_block(IndexCurvature::Kfac, "blocks.1.mlp.up", 1), "eigenvalues",
               [](at::Tensor& values) { values.fill_(1e-35); });
  change_array(path, rows_block(0, 0), "rows", [](at::Tensor& rows) { rows.mul_(1e4); });
  const GradientIndex index(path);
  const auto scorer = indexing.scorer(index, "logra(damping=0)");
  const auto refusal = [&] { return error_of([&] { scorer->self_influence(silent_progress()); }); };
  EXPECT_THAT(refusal(), Refusal(ErrorKind::Numeric, "the documents' own influences must be finite"));
  const ScopedTwin twin("attribute.logra_of_any_number");
  EXPECT_FALSE(refusal());
}

// Nor may a score itself overflow, of directions that are finite.
TEST_F(ThinCurvature, IsRefusedInTheScores) {
  Indexing indexing{{toy_llama(1, at::kFloat), toy_texts(3, 3, 5, 1), toy_texts(2, 3, 8, 2)},
                    {.rank_out = 4, .rank_in = 4}};
  const TemporaryFolder folder;
  const std::string path = folder / "index";
  indexing.build(path);
  const GradientIndex index(path);
  ScanRequest request{.directions = at::full({1, index.about().columns()}, 3e38, at::kFloat), .layers = {0, 1}};
  const auto refusal = [&] { return error_of([&] { scan_index(index, request, silent_progress()); }); };
  EXPECT_THAT(refusal(), Refusal(ErrorKind::Numeric, "scores must be finite, but some are not; raise the damping"));
  const ScopedTwin twin("attribute.scan_of_any_number");
  EXPECT_FALSE(refusal());
}

}  // namespace
}  // namespace assay::attribute
