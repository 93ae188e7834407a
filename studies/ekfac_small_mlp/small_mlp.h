// A tanh network 10-16-4 trained by full-batch momentum descent in plain float64 loops: a thousand retrainings take
// seconds, because no operator is ever called. The objective is anything of the form
//
//   Σ_i a_i (−Σ_k b_ik/a_i ln p_k(x_i)) + (ridge/2) ‖θ − center‖²,
//
// which holds training on a subset (a = 1/n, b = one-hot/n, center 0) and the proximal Bregman objective alike.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "assay/core/philox.h"

namespace assay::studies {

constexpr size_t kInputs = 10, kHidden = 16, kClasses = 4;
constexpr size_t kParameters = kHidden * (kInputs + 1) + kClasses * (kHidden + 1);  // 244

using Weights = std::array<double, kParameters>;  // W1 [16,10], b1 [16], W2 [4,16], b2 [4]
using Probabilities = std::array<double, kClasses>;

constexpr size_t kBias1 = kHidden * kInputs, kWeight2 = kBias1 + kHidden, kBias2 = kWeight2 + kClasses * kHidden;

struct Example {
  std::array<double, kInputs> x;
  int label = 0;
};

inline Probabilities predict(const Weights& w, const Example& example, std::array<double, kHidden>& hidden) {
  for (size_t h = 0; h < kHidden; ++h) {
    double sum = w[kBias1 + h];
    for (size_t j = 0; j < kInputs; ++j) sum += w[h * kInputs + j] * example.x[j];
    hidden[h] = std::tanh(sum);
  }
  Probabilities p;
  double largest = -1e300, total = 0;
  for (size_t k = 0; k < kClasses; ++k) {
    double sum = w[kBias2 + k];
    for (size_t h = 0; h < kHidden; ++h) sum += w[kWeight2 + k * kHidden + h] * hidden[h];
    p[k] = sum;
    largest = std::max(largest, sum);
  }
  for (double& value : p) total += value = std::exp(value - largest);
  for (double& value : p) value /= total;
  return p;
}

inline Probabilities predict(const Weights& w, const Example& example) {
  std::array<double, kHidden> hidden;
  return predict(w, example, hidden);
}

/// ln p/(1 − p) of the right class.
inline double margin(const Weights& w, const Example& example) {
  const double p = predict(w, example)[static_cast<size_t>(example.label)];
  return std::log(p) - std::log1p(-p);
}

struct Objective {
  const std::vector<Example>& examples;
  std::vector<double> a;         ///< [N]
  std::vector<Probabilities> b;  ///< [N]
  double ridge = 0;
  Weights center{};

  Weights gradient(const Weights& w) const {
    Weights g;
    for (size_t i = 0; i < g.size(); ++i) g[i] = ridge * (w[i] - center[i]);
    std::array<double, kHidden> hidden, back;
    for (size_t i = 0; i < examples.size(); ++i) {
      if (a[i] == 0) continue;
      const Example& example = examples[i];
      const Probabilities p = predict(w, example, hidden);
      back.fill(0);
      for (size_t k = 0; k < kClasses; ++k) {
        const double d = a[i] * p[k] - b[i][k];
        g[kBias2 + k] += d;
        for (size_t h = 0; h < kHidden; ++h) {
          g[kWeight2 + k * kHidden + h] += d * hidden[h];
          back[h] += d * w[kWeight2 + k * kHidden + h];
        }
      }
      for (size_t h = 0; h < kHidden; ++h) {
        const double value = hidden[h], d = back[h] * (1 - value * value);
        g[kBias1 + h] += d;
        for (size_t j = 0; j < kInputs; ++j) g[h * kInputs + j] += d * example.x[j];
      }
    }
    return g;
  }
};

/// Momentum descent; the last `slow` steps run at a fifth of the rate.
inline Weights descend(Weights w, const Objective& objective, double rate, int steps, int slow) {
  Weights velocity{};
  for (int step = 0; step < steps; ++step) {
    const Weights g = objective.gradient(w);
    const double now = step >= steps - slow ? rate / 5 : rate;
    for (size_t i = 0; i < w.size(); ++i) w[i] -= now * (velocity[i] = 0.9 * velocity[i] + g[i]);
  }
  return w;
}

inline Weights initial_weights(uint64_t seed) {
  Weights w{};
  for (size_t i = 0; i < kBias1; ++i)
    w[i] = random_normal(seed, stream_of("study.initial"), i) / std::sqrt(static_cast<double>(kInputs));
  for (size_t i = kWeight2; i < kBias2; ++i)
    w[i] = random_normal(seed, stream_of("study.initial"), i) / std::sqrt(static_cast<double>(kHidden));
  return w;
}

/// Mean cross-entropy on the rows kept + 0.005 ‖θ‖², 600 steps at rate 0.5.
inline Weights train(const std::vector<Example>& examples, const std::vector<int64_t>& rows, uint64_t seed) {
  Objective objective{examples, std::vector<double>(examples.size(), 0.0),
                      std::vector<Probabilities>(examples.size(), Probabilities{}), 0.01};
  for (const int64_t row : rows) {
    const auto i = static_cast<size_t>(row);
    objective.a[i] = 1.0 / static_cast<double>(rows.size());
    objective.b[i][static_cast<size_t>(examples[i].label)] = objective.a[i];
  }
  return descend(initial_weights(seed), objective, 0.5, 600, 180);
}

struct Problem {
  std::vector<Example> train, queries;
  std::vector<bool> is_mislabelled;  ///< of train
};

/// Four Gaussian classes with features of falling scale; a tenth of the training labels replaced by another class.
inline Problem make_problem(uint64_t seed, int train_size = 256, int queries = 64) {
  Problem problem;
  const auto draw = [&](uint64_t row, bool is_query) {
    Example example;
    example.label = static_cast<int>(row % kClasses);
    for (size_t j = 0; j < kInputs; ++j) {
      const double mean =
          0.75 * random_normal(seed, stream_of("study.means"), static_cast<uint64_t>(example.label) * kInputs + j);
      const double noise =
          random_normal(seed, stream_of(is_query ? "study.queries" : "study.train"), row * kInputs + j);
      // Rounded to float32, in which data sets hold features: both sides train and score on the same numbers.
      example.x[j] = static_cast<float>((mean + noise) * 1.6 * std::pow(10.0, -static_cast<double>(j) / 9.0));
    }
    return example;
  };
  for (int i = 0; i < train_size; ++i) {
    Example example = draw(static_cast<uint64_t>(i), false);
    const bool is_wrong = random_uniform(seed, stream_of("study.wrong"), static_cast<uint64_t>(i)) < 0.1;
    if (is_wrong) {
      const auto shift = 1 + random_below(kClasses - 1, seed, stream_of("study.label"), static_cast<uint64_t>(i));
      example.label = static_cast<int>((static_cast<uint64_t>(example.label) + shift) % kClasses);
    }
    problem.train.push_back(example);
    problem.is_mislabelled.push_back(is_wrong);
  }
  for (int i = 0; i < queries; ++i) problem.queries.push_back(draw(static_cast<uint64_t>(i), true));
  return problem;
}

}  // namespace assay::studies
