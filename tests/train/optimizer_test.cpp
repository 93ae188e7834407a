#include "assay/train/optimizer.h"

#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>

#include "assay/core/error.h"
#include "assay/core/twin.h"

namespace assay::train {
namespace {

// Float64, numbers of size 1, at most five steps of a dozen operations: 100 roundings of 2.2e-16.
constexpr double kTolerance = 3e-14;

/// A matrix [1,2] and a vector [1].
nn::Parameters two_tensors() {
  nn::Parameters parameters;
  parameters.add("weight", at::tensor({0.5, -1.25}, at::kDouble).view({1, 2}));
  parameters.add("norm", at::tensor({2.0}, at::kDouble));
  return parameters;
}

/// A gradient that differs by step and place, and depends on the parameter.
double gradient_of(double parameter, int step, int place) {
  return 0.3 * parameter + 0.1 * step - 0.2 * place;
}

struct Scalar {
  double p = 0, m = 0, v = 0;
  double decay = 0;
};

std::vector<Scalar> scalars(double decay, double vector_decay) {
  return {{.p = 0.5, .decay = decay}, {.p = -1.25, .decay = decay}, {.p = 2.0, .decay = vector_decay}};
}

/// The largest difference between the optimizer and a hand-written update over five steps at changing rates.
template <class Update>
double worst_difference(const OptimizerOptions& options, std::vector<Scalar> expected, Update update) {
  nn::Parameters parameters = two_tensors();
  Optimizer optimizer(options, parameters);
  double worst = 0;
  for (int step = 1; step <= 5; ++step) {
    std::vector<at::Tensor> gradients;
    int place = 0;
    for (size_t i = 0; i < parameters.size(); ++i) {
      at::Tensor gradient = at::empty_like(parameters[i]);
      for (int64_t k = 0; k < gradient.numel(); ++k, ++place) {
        gradient.data_ptr<double>()[k] = gradient_of(parameters[i].data_ptr<double>()[k], step, place);
      }
      gradients.push_back(gradient);
    }
    const double rate = 0.1 / step;
    optimizer.step(parameters, gradients, rate);
    place = 0;
    for (Scalar& scalar : expected) {
      update(scalar, gradient_of(scalar.p, step, place), rate, step);
      const double actual = place < 2 ? parameters[0].data_ptr<double>()[place] : parameters[1].data_ptr<double>()[0];
      worst = std::max(worst, std::abs(actual - scalar.p));
      ++place;
    }
  }
  return worst;
}

double sgd_error(double momentum, double decay) {
  const OptimizerOptions options{.kind = OptimizerOptions::Kind::Sgd, .weight_decay = decay, .momentum = momentum};
  return worst_difference(options, scalars(decay, 0), [&](Scalar& s, double g, double rate, int step) {
    g += s.decay * s.p;
    s.m = step == 1 ? g : momentum * s.m + g;
    s.p -= rate * s.m;
  });
}

double adamw_error(bool vectors_decay) {
  const OptimizerOptions options{.weight_decay = 0.3, .vectors_decay = vectors_decay, .beta2 = 0.95};
  return worst_difference(options, scalars(0.3, vectors_decay ? 0.3 : 0),
                          [](Scalar& s, double g, double rate, int step) {
                            s.p -= rate * s.decay * s.p;
                            s.m = 0.9 * s.m + 0.1 * g;
                            s.v = 0.95 * s.v + 0.05 * g * g;
                            const double m = s.m / (1 - std::pow(0.9, step)), v = s.v / (1 - std::pow(0.95, step));
                            s.p -= rate * m / (std::sqrt(v) + 1e-8);
                          });
}

TEST(Optimizer, SgdFollowsItsFormula) {
  EXPECT_LT(sgd_error(0.9, 0.1), kTolerance);
  EXPECT_LT(sgd_error(0, 0), kTolerance);
  const ScopedTwin twin("train.momentum_forgotten");
  EXPECT_GT(sgd_error(0.9, 0.1), kTolerance);
}

TEST(Optimizer, AdamWFollowsItsFormula) {
  EXPECT_LT(adamw_error(false), kTolerance);
  EXPECT_LT(adamw_error(true), kTolerance);
  const ScopedTwin twin("train.steps_not_counted");
  EXPECT_GT(adamw_error(false), kTolerance);
}

TEST(Optimizer, NormsAndBiasesDoNotDecayUnlessAsked) {
  EXPECT_LT(adamw_error(false), kTolerance);
  const ScopedTwin twin("train.vectors_decay");
  EXPECT_GT(adamw_error(false), kTolerance);
}

TEST(Optimizer, TheFirstAdamWStepHasTheSizeOfTheRate) {
  nn::Parameters parameters = two_tensors();
  const nn::Parameters before = parameters.clone();
  Optimizer optimizer({}, parameters);
  const std::vector<at::Tensor> gradients = {at::full({1, 2}, 7.0, at::kDouble), at::full({1}, -1e-3, at::kDouble)};
  optimizer.step(parameters, gradients, 0.01);
  // m̂ = g and v̂ = g², so the step is rate · sign(g) up to epsilon / |g| = 1e-5.
  EXPECT_NEAR(parameters[0].data_ptr<double>()[0], before[0].data_ptr<double>()[0] - 0.01, 1e-7);
  EXPECT_NEAR(parameters[1].data_ptr<double>()[0], before[1].data_ptr<double>()[0] + 0.01, 2e-7);
}

TEST(Optimizer, GoesOnFromItsSavedStateBitForBit) {
  for (const auto kind : {OptimizerOptions::Kind::Sgd, OptimizerOptions::Kind::AdamW}) {
    const OptimizerOptions options{.kind = kind, .weight_decay = 0.1};
    const std::vector<at::Tensor> gradients = {at::full({1, 2}, 0.3, at::kDouble), at::full({1}, -0.2, at::kDouble)};
    nn::Parameters straight = two_tensors();
    Optimizer uninterrupted(options, straight);
    for (int i = 0; i < 3; ++i) uninterrupted.step(straight, gradients, 0.1);
    nn::Parameters resumed = straight.clone();
    Optimizer second(options, resumed);
    second.restore(uninterrupted.state().clone(), uninterrupted.steps_taken());
    for (int i = 0; i < 3; ++i) {
      uninterrupted.step(straight, gradients, 0.1);
      second.step(resumed, gradients, 0.1);
    }
    EXPECT_EQ(straight.hash(), resumed.hash());
  }
}

TEST(Optimizer, RefusesTheStateOfAnotherOptimizer) {
  const nn::Parameters parameters = two_tensors();
  const Optimizer sgd({.kind = OptimizerOptions::Kind::Sgd}, parameters);
  Optimizer adamw({}, parameters);
  try {
    adamw.restore(sgd.state(), 3);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Data);
  }
  EXPECT_EQ(adamw.steps_taken(), 0);
}

bool clips_to_the_limit() {
  std::vector<at::Tensor> gradients = {at::tensor({3.0, 0.0}, at::kDouble), at::tensor({4.0}, at::kDouble)};
  const double norm = clip_gradients(gradients, 1.0);
  // Norm 5, so everything is divided by 5: direction kept, length 1.
  return norm == 5 && std::abs(gradients[0].data_ptr<double>()[0] - 0.6) < 1e-15 &&
         std::abs(gradients[1].data_ptr<double>()[0] - 0.8) < 1e-15;
}

TEST(Clipping, ScalesAllGradientsTogetherToTheLimit) {
  EXPECT_TRUE(clips_to_the_limit());
  const ScopedTwin twin("train.clips_to_another_norm");
  EXPECT_FALSE(clips_to_the_limit());
}

TEST(Clipping, LeavesShortGradientsAndNoLimitAlone) {
  for (const double limit : {0.0, 10.0}) {
    std::vector<at::Tensor> gradients = {at::tensor({3.0, 4.0}, at::kDouble)};
    EXPECT_EQ(clip_gradients(gradients, limit), 5);
    EXPECT_EQ(gradients[0].data_ptr<double>()[1], 4.0);
  }
}

}  // namespace
}  // namespace assay::train
