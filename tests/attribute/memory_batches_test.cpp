// Batches follow the memory downwards: what was enough stays as it was, less gives smaller batches and equal scores,
// and sums over other batches are never taken up.
#include <gtest/gtest.h>

#include "assay/attribute/cost.h"
#include "assay/attribute/walk_batches.h"
#include "assay/core/twin.h"
#include "assay/curvature/fit.h"
#include "tests/support/scoring.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/threads.h"

namespace assay::attribute {
namespace {

constexpr int64_t kRoomy = int64_t{4} << 30;

bool follows_the_memory() {
  const nn::Model model = toy_llama();
  const double bytes = kept_numbers_per_position(model) * 8;
  const ScopedThreads one(1);
  const auto positions = [&](double of) { return positions_of_a_walk(model, static_cast<int64_t>(of * bytes)); };
  return positions(200) == 192 && positions(64) == 64 && positions(0) == 32 && positions(2047) == 2016 &&
         positions(2049) == 2048;
}

TEST(MemoryBatches, FollowTheMemoryDownwardsInSteps) {
  EXPECT_TRUE(follows_the_memory());
  const ScopedTwin twin("attribute.batches_whatever_the_memory");
  EXPECT_FALSE(follows_the_memory());
}

TEST(MemoryBatches, StayAsTheyWereWhereMemoryIsEnough) {
  const nn::Model model = toy_llama();
  EXPECT_EQ(positions_of_a_walk(model, kRoomy), 2048);
  EXPECT_EQ(positions_of_a_walk(model, int64_t{1} << 50), 2048);
  // Of a narrow model each thread walks a batch of its own, and one may wait for its sums.
  const auto scarce = static_cast<int64_t>(200 * 8 * kept_numbers_per_position(model));
  const ScopedThreads two(2);
  EXPECT_EQ(positions_of_a_walk(model, scarce), 64);
}

// A block of width 32 and an MLP of 16,384 keeps 8·32 + 4·16,384 numbers a position, a model in bf16 three quarters.
TEST(MemoryBatches, KeepSoMuchAndAreNeverTooSmallForProducts) {
  const auto model = [](int64_t blocks) {
    const nlohmann::json config{{"model_type", "llama"},
                                {"hidden_size", 32},
                                {"intermediate_size", 16384},
                                {"num_hidden_layers", blocks},
                                {"num_attention_heads", 4},
                                {"num_key_value_heads", 2},
                                {"vocab_size", 24},
                                {"max_position_embeddings", 64},
                                {"tie_word_embeddings", true},
                                {"initializer_range", 0.2}};
    return nn::initialize(nn::make_architecture(config), 1, at::kFloat);
  };
  const auto positions = [](const nn::Model& of, bool in_bf16) {
    return positions_of_a_walk(in_bf16 ? of.with(of.parameters().to(at::kBFloat16)) : of, kRoomy);
  };
  const nn::Model small = model(1), large = model(4);
  EXPECT_EQ(positions(small, false), static_cast<int64_t>(3e8 / (4 * 65792)));
  EXPECT_EQ(positions(small, true), static_cast<int64_t>(3e8 / (3 * 65792)));
  EXPECT_EQ(positions(large, false), 512);
  EXPECT_EQ(positions(large, true), 1024);
}

TEST(MemoryBatches, OfAnySizeGiveTheSameScoresAndAPlanThatFalls) {
  Scoring scoring{toy_llama(), toy_texts(60, 20, 40, 1), toy_texts(2, 4, 7, 2)};
  scoring.memory_bytes = kRoomy;
  const at::Tensor roomy = scoring.total("cosine");
  const auto peak = [&] {
    Plan plan{{.flops_per_second_fp32 = 1e9, .flops_per_second_bf16 = 1e9, .bytes_per_second = 1e9}};
    add_score_stage(plan, parse_factory("cosine", method_table(), "method"), scoring.inputs(), {});
    return plan.peak_bytes();
  };
  scoring.memory_bytes = 300'000;
  const at::Tensor scarce = scoring.total("cosine");
  const int64_t low = peak();  // both at the end: what the process holds counts, too
  scoring.memory_bytes = kRoomy;
  EXPECT_GT(walk_batches(scoring.model, scoring.train, 300'000).size(), 20u);
  EXPECT_LT(walk_batches(scoring.model, scoring.train, kRoomy).size(), 3u);
  EXPECT_LT(largest_difference(roomy, scarce), 1e-12);
  EXPECT_LT(low, peak() - 5'000'000);  // 60 documents of 40 positions keep 13 MB
}

TEST(ScoreMemory, HoldsEveryScoreByPositionOnce) {
  // 50 queries, 60 documents, 39 positions of the longest: 117,000 numbers of 8 bytes, and beside them, later, as
  // float32 for the file.
  Scoring scoring{toy_llama(), toy_texts(60, 20, 40, 1), toy_texts(50, 4, 8, 2)};
  const auto more = [&] {
    const auto peak = [&](const Parts& parts) {
      Plan plan{{.flops_per_second_fp32 = 1e9, .flops_per_second_bf16 = 1e9, .bytes_per_second = 1e9}};
      add_score_stage(plan, parse_factory("identity", method_table(), "method"), scoring.inputs(), parts);
      return plan.peak_bytes();
    };
    return static_cast<double>(peak({.per_token = true}) - peak({}));
  };
  const double held = 50.0 * 60 * 39 * 8;
  EXPECT_GT(more(), held);
  EXPECT_LT(more(), 4 * held);  // all documents are one batch here, whose products and their sum stand beside it
  const ScopedTwin twin("attribute.plan_without_scores");
  EXPECT_LT(more(), held);
}

// A fit and then the scores, against the scores on factors from the cache: what the head said in the first walk gives
// the same bits as the head.
TEST(ScoreMemory, RememberedHeadsChangeNoBit) {
  const Scoring scoring{toy_llama(1, at::kDouble, 20'000), toy_texts(12, 5, 11, 1), toy_texts(2, 4, 8, 2)};
  const auto differs = [&] {
    const TemporaryFolder folder;
    Inputs inputs = scoring.inputs();
    inputs.model_hash = "toy";
    inputs.cache_folder = folder / "cache";
    const auto scores = [&] {
      curvature::Workspace workspace;
      const auto scorer = make_scorer(parse_factory("ekfac", method_table(), "method"), inputs, silent_progress());
      return scorer->score({scoring.train}, {}, workspace, silent_progress()).total;
    };
    const at::Tensor remembering = scores();
    return !remembering.equal(scores());
  };
  EXPECT_FALSE(differs());
  const ScopedTwin twin("kernel.remembered_without_the_target");
  EXPECT_TRUE(differs());
}

// What the head said in the first walk is held until the scores are there.
TEST(ScoreMemory, HoldsWhatTheHeadSaid) {
  const Scoring scoring{toy_llama(1, at::kDouble, 20'000), toy_texts(2400, 40, 40, 1), toy_texts(1, 4, 8, 2)};
  const Inputs fitted_on = scoring.inputs();
  const auto peak = [&](const Inputs* fit) {
    Plan plan{{.flops_per_second_fp32 = 1e9, .flops_per_second_bf16 = 1e9, .bytes_per_second = 1e9}};
    add_score_stage(plan, parse_factory("ekfac", method_table(), "method"), fitted_on, {}, "", fit);
    return plan.peak_bytes();
  };
  peak(&fitted_on);  // pages that the first plan touches
  const auto more = [&] { return static_cast<double>(peak(&fitted_on) - peak(nullptr)); };
  const auto width = static_cast<double>(scoring.model.architecture().facts().width);
  const double held = 2400.0 * 39 * (width + 1) * 8;
  EXPECT_GT(more(), held);
  const ScopedTwin twin("attribute.plan_without_remembered");
  EXPECT_LT(more(), held);
}

TEST(MemoryBatches, NameTheirSumsOnTheWay) {
  const data::Dataset texts = toy_texts(60, 20, 40, 1);
  const auto few = batches_of(texts, 5), many = batches_of(texts, 6);
  const auto tells_apart = [&] {
    return curvature::partial_block("scores", few) != curvature::partial_block("scores", many);
  };
  EXPECT_TRUE(tells_apart());
  EXPECT_EQ(curvature::partial_block("scores", few), curvature::partial_block("scores", batches_of(texts, 5)));
  EXPECT_TRUE(curvature::partial_block("scores", few).starts_with("partial.scores."));
  const ScopedTwin twin("curvature.sums_of_other_batches");
  EXPECT_FALSE(tells_apart());
}

}  // namespace
}  // namespace assay::attribute
