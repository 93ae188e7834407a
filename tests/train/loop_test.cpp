#include "assay/train/loop.h"

#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include <cmath>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/nn/gradients.h"
#include "assay/train/order.h"
#include "tests/train/fixtures.h"

namespace assay::train {
namespace {

double total_loss(const nn::Model& model, const data::Dataset& dataset) {
  std::vector<int64_t> rows(static_cast<size_t>(dataset.size()));
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<int64_t>(i);
  return nn::evaluate(model, data::make_batch(dataset, rows, model.dtype()), nn::loss()).sum().item<double>();
}

TrainOptions plain_sgd(double rate) {
  return {.optimizer = {.kind = OptimizerOptions::Kind::Sgd, .momentum = 0},
          .schedule = {.kind = Schedule::Kind::Constant, .rate = rate},
          .batch_size = 0};
}

/// The distance of the weights along parameter `place`, element `index`, after one plain step of rate 1: minus the
/// slope.
double slope_taken(const nn::Model& start, const data::Dataset& dataset, const TrainOptions& options, size_t place,
                   int64_t index) {
  const TrainResult result = train(start, dataset, options);
  const auto at = [&](const nn::Model& model) {
    return model.parameters()[place].detach().flatten()[index].item<double>();
  };
  return at(start) - at(result.model);
}

/// Central difference of `objective` in one weight.
template <class Objective>
double numeric_slope(const nn::Model& start, size_t place, int64_t index, Objective objective) {
  constexpr double kStep = 1e-5;
  const auto moved = [&](double by) {
    nn::Parameters parameters = start.parameters().clone();
    at::Tensor flat = parameters[place].view({-1});
    flat[index].add_(by);
    return objective(start.with(parameters));
  };
  return (moved(kStep) - moved(-kStep)) / (2 * kStep);
}

// Central differences with h = 1e-5 in float64: h² f'''/6 is about 1e-10 and rounding 1e-16 / 1e-5 = 1e-11 times the
// size of the loss (10).
constexpr double kDifferenceTolerance = 2e-9;

TEST(Loop, AStepOfPlainSgdIsTheGradientOfTheMeanOverExamples) {
  const data::Dataset dataset = points(10);
  const nn::Model start = small_mlp();
  TrainOptions options = plain_sgd(1);
  options.reduction = Reduction::MeanOverExamples;
  for (size_t place = 0; place < start.parameters().size(); ++place) {
    const double expected =
        numeric_slope(start, place, 0, [&](const nn::Model& model) { return total_loss(model, dataset) / 10; });
    EXPECT_NEAR(slope_taken(start, dataset, options, place, 0), expected, kDifferenceTolerance);
  }
}

TEST(Loop, TheMeanOverTokensDividesByCountedTokensAndNotByExamples) {
  const data::Dataset dataset = sentences(6);
  const nn::Model start = small_llama(at::kDouble);
  int64_t counted = 0;
  for (const data::Example& example : dataset.examples) counted += static_cast<int64_t>(example.tokens.size()) - 1;
  ASSERT_NE(counted, dataset.size());
  for (const auto reduction : {Reduction::MeanOverTokens, Reduction::MeanOverExamples}) {
    TrainOptions options = plain_sgd(0);
    options.reduction = reduction;
    const StepLog log = train(start, dataset, options).log.at(0);
    const int64_t divisor = reduction == Reduction::MeanOverTokens ? counted : dataset.size();
    EXPECT_NEAR(log.loss, total_loss(start, dataset) / static_cast<double>(divisor), 1e-12);
    EXPECT_EQ(log.tokens, counted);
    EXPECT_EQ(log.examples, 6);
  }
}

double penalty_gradient_error() {
  const data::Dataset dataset = points(10);
  const nn::Model start = small_mlp(),
                  reference = nn::initialize(nn::make_architecture(start.architecture().config()), 99, at::kDouble);
  TrainOptions options = plain_sgd(1);
  const double without = slope_taken(start, dataset, options, 0, 3);
  options.penalties = {squared_distance(reference.parameters(), 0.7)};
  const double with = slope_taken(start, dataset, options, 0, 3);
  const auto weight = [](const nn::Model& model) { return model.parameters()[0].flatten()[3].item<double>(); };
  return std::abs(with - without - 0.7 * (weight(start) - weight(reference)));
}

TEST(Loop, APenaltyAddsItsGradient) {
  EXPECT_LT(penalty_gradient_error(), 1e-13);  // sums and differences of numbers of size 1
  const ScopedTwin twin("train.penalty_without_gradient");
  EXPECT_GT(penalty_gradient_error(), 1e-13);
}

TEST(Loop, LearnsWhatItIsShown) {
  const data::Dataset dataset = sentences(60);
  const nn::Model start = small_llama();
  TrainOptions options{.schedule = {.rate = 1e-2, .warmup_steps = 5}, .epochs = 20, .batch_size = 16};
  const TrainResult result = train(start, dataset, options);
  EXPECT_EQ(result.log.size(), 20u * 4u);
  EXPECT_LT(total_loss(result.model, dataset), 0.7 * total_loss(start, dataset));
  EXPECT_FALSE(result.model.parameters()[0].requires_grad());
  EXPECT_EQ(result.log.back().epoch, 20);
}

TEST(Loop, TheSameSeedGivesTheSameBitsAndAnotherSeedDoesNot) {
  const data::Dataset dataset = sentences(40);
  const nn::Model start = small_llama();
  const std::string before = start.parameters().hash();
  TrainOptions options{.schedule = {.rate = 1e-2}, .epochs = 3, .batch_size = 8, .clip_norm = 1, .seed = 5};
  const std::string first = train(start, dataset, options).model.parameters().hash();
  EXPECT_EQ(first, train(start, dataset, options).model.parameters().hash());
  EXPECT_EQ(before, start.parameters().hash());
  options.seed = 6;
  EXPECT_NE(first, train(start, dataset, options).model.parameters().hash());
}

TEST(Loop, LeavingExamplesOutIsTrainingWithoutThem) {
  const data::Dataset dataset = sentences(40);
  const nn::Model start = small_llama();
  TrainOptions options{.schedule = {.rate = 1e-2}, .epochs = 3, .batch_size = 8};
  std::vector<int64_t> kept;
  for (int64_t row = 0; row < dataset.size(); ++row) {
    if (row % 5 == 2) {
      options.leave_out.insert(dataset.examples[static_cast<size_t>(row)].id);
    } else {
      kept.push_back(row);
    }
  }
  const std::string without = train(start, dataset, options).model.parameters().hash();
  options.leave_out.clear();
  EXPECT_EQ(without, train(start, data::subset(dataset, kept), options).model.parameters().hash());
  EXPECT_NE(without, train(start, dataset, options).model.parameters().hash());
}

bool resuming_gives_the_same_bits(OptimizerOptions::Kind kind) {
  const data::Dataset dataset = sentences(40);
  const nn::Model start = small_llama();
  const TrainOptions options{.optimizer = {.kind = kind, .weight_decay = 0.1},
                             .schedule = {.rate = 1e-2, .warmup_steps = 3},
                             .epochs = 3,
                             .batch_size = 16};
  Trainer straight(start, dataset, options);
  nn::Parameters weights, state;
  for (int step = 0; step < 4; ++step) straight.advance();
  weights = straight.model().parameters().clone();
  state = straight.optimizer().state().clone();
  Trainer resumed(start, dataset, options);
  resumed.restore(weights, state, straight.step());
  while (!straight.is_done()) straight.advance();
  while (!resumed.is_done()) resumed.advance();
  return straight.model().parameters().hash() == resumed.model().parameters().hash();
}

TEST(Loop, ResumedTrainingEqualsUninterruptedTrainingBitForBit) {
  EXPECT_TRUE(resuming_gives_the_same_bits(OptimizerOptions::Kind::AdamW));
  EXPECT_TRUE(resuming_gives_the_same_bits(OptimizerOptions::Kind::Sgd));
  const ScopedTwin twin("train.resume_repeats_a_step");
  EXPECT_FALSE(resuming_gives_the_same_bits(OptimizerOptions::Kind::AdamW));
}

TEST(Loop, ClippingBoundsTheStep) {
  const data::Dataset dataset = points(10);
  const nn::Model start = small_mlp();
  TrainOptions options = plain_sgd(1);
  const StepLog free = train(start, dataset, options).log.at(0);
  options.clip_norm = free.gradient_norm / 4;
  const double unclipped = slope_taken(start, dataset, plain_sgd(1), 0, 1);
  EXPECT_NEAR(slope_taken(start, dataset, options, 0, 1), unclipped / 4, 1e-14);
  EXPECT_EQ(train(start, dataset, options).log.at(0).gradient_norm, free.gradient_norm);
}

TEST(Loop, TapsActOnEveryBatch) {
  const data::Dataset dataset = points(10);
  const nn::Model start = small_mlp();
  TrainOptions options = plain_sgd(1);
  // Without its hidden units the first layer gets no gradient.
  options.taps = [](const data::Batch& batch) {
    return nn::Taps{}.replace("layers.0.hook_post", at::ones({batch.size(), 1, 5}, at::kDouble).mul(0));
  };
  const TrainResult result = train(start, dataset, options);
  EXPECT_TRUE(result.model.parameters()[0].equal(start.parameters()[0]));
  EXPECT_FALSE(result.model.parameters()[3].equal(start.parameters()[3]));
}

TEST(Loop, StepsInPlaceOfEpochsMayEndInsideAnEpoch) {
  TrainOptions options = plain_sgd(0.1);
  options.batch_size = 4;
  options.steps = 7;
  const TrainResult result = train(small_mlp(), points(10), options);
  ASSERT_EQ(result.log.size(), 7u);
  EXPECT_EQ(result.log[2].examples, 2);  // the short third batch of an epoch
  EXPECT_DOUBLE_EQ(result.log[6].epoch, 7.0 / 3.0);
}

TEST(Loop, ATextWithoutACountedTokenChangesNothing) {
  data::Dataset dataset;
  data::Example lonely;
  lonely.tokens = {3};
  dataset.examples = {lonely};
  data::assign_ids(dataset);
  const nn::Model start = small_llama();
  TrainOptions options = plain_sgd(1);
  const TrainResult result = train(start, dataset, options);
  EXPECT_EQ(result.log[0].loss, 0);
  EXPECT_EQ(result.model.parameters().hash(), start.parameters().hash());
}

TEST(Loop, RefusesOptionsThatMakeNoSense) {
  const data::Dataset dataset = points(4);
  const auto kind_of_error = [&](const TrainOptions& options) {
    try {
      train(small_mlp(), dataset, options);
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::Internal;
  };
  EXPECT_EQ(kind_of_error({.epochs = 0}), ErrorKind::Usage);
  EXPECT_EQ(kind_of_error({.batch_size = -1}), ErrorKind::Usage);
  EXPECT_EQ(kind_of_error({.schedule = {.rate = std::nan("")}}), ErrorKind::Usage);
  TrainOptions nothing_left;
  for (const data::Example& example : dataset.examples) nothing_left.leave_out.insert(example.id);
  EXPECT_EQ(kind_of_error(nothing_left), ErrorKind::Data);
}

TEST(Loop, StopsBeforeAStepThatIsNotFinite) {
  nn::Model start = small_mlp();
  start.parameters()[0].flatten()[0].fill_(std::nan(""));
  const data::Dataset dataset = points(4);
  Trainer trainer(start, dataset, {});
  try {
    trainer.advance();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Numeric);
    EXPECT_NE(std::string(error.what()).find("step 0"), std::string::npos);
  }
  EXPECT_EQ(trainer.step(), 0);
}

}  // namespace
}  // namespace assay::train
