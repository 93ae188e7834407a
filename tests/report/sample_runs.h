// Views of an evaluation and of a training run with invented texts and numbers, beside those of sample_views.h.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "assay/report/evaluation_report.h"
#include "assay/report/training_report.h"
#include "tests/report/sample_views.h"

namespace assay::report::sample {

/// `documents` texts of different lengths whose losses spread around 1.3 nats a token.
inline EvaluationView evaluation(std::size_t documents = 240) {
  EvaluationView view;
  view.model = {"stories-sample", "llama", 5, 64, 8, 4, 512, 260032, "fp32"};
  view.noun = {"document", "documents"};
  view.data = "sample_stories.txt";
  view.documents_cut = 12;
  view.context = 512;
  view.choices = 512;
  view.date = "22 November 2026";
  for (std::size_t i = 0; i < documents; ++i) {
    const double bell = std::sqrt(-2 * std::log(uniform(i, 201) + 1e-12)) * std::cos(6.28318530718 * uniform(i, 202));
    const auto targets = static_cast<std::int64_t>(120 + 300 * uniform(i, 203));
    view.targets.push_back(targets);
    view.losses.push_back(1.3 * std::exp(0.18 * bell) * static_cast<double>(targets));
    view.tokens += targets + 1;
    view.loss += view.losses.back();
  }
  std::int64_t targets = 0;
  for (const std::int64_t each : view.targets) targets += each;
  view.loss_per_target = targets > 0 ? view.loss / static_cast<double>(targets) : std::nan("");
  view.perplexity = std::exp(view.loss_per_target);

  std::vector<std::size_t> order(documents);
  for (std::size_t i = 0; i < documents; ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return view.losses[a] / static_cast<double>(view.targets[a]) >
           view.losses[b] / static_cast<double>(view.targets[b]);
  });
  const auto shown = [](std::size_t index) {
    return EvaluatedExample{static_cast<std::int64_t>(index), "5d0c" + std::to_string(100000000000 + index * 7919),
                            "sample_stories.txt, document " + std::to_string(index + 1),
                            story(index, index % 2 == 0).substr(0, 260) + "…"};
  };
  const std::size_t worst = std::min<std::size_t>(10, (documents + 1) / 2);
  const std::size_t best = std::min<std::size_t>(10, documents - worst);
  for (std::size_t i = 0; i < worst; ++i) view.worst.push_back(shown(order[i]));
  for (std::size_t i = 0; i < best; ++i) view.best.push_back(shown(order[documents - 1 - i]));
  view.provenance.command = "assay evaluate stories-sample --data sample_stories.txt --out losses";
  view.provenance.rows = {{"Assay", "", "0.1.0, built with g++ 12.2, LibTorch 2.13.0"},
                          {"Model", "9d27c1f0b85e4a639d27c1f0b85e4a63", "stories-sample, safetensors"},
                          {"Sample", "", "every story and every number on this page is invented"}};
  view.provenance.costs = {{"Time", "0.8 s", "0.9 s", 0.8, 0.9}, {"Memory", "212 MB", "198 MB", 212, 198}};
  return view;
}

/// A classifier of arrays: no texts, losses over many orders of magnitude.
inline EvaluationView classifier_evaluation() {
  EvaluationView view = evaluation(0);
  view.model = {"digits", "mlp", 2, 64, 0, 0, 10, 4810, "fp32"};
  view.noun = {"example", "examples"};
  view.target = {"example", "examples"};
  view.data = "digits.jsonl";
  view.documents_cut = view.context = 0;
  view.choices = 10;
  view.accuracy = 0.9725;
  for (std::size_t i = 0; i < 3000; ++i) {
    view.losses.push_back(std::exp(-14 * uniform(i, 301) * uniform(i, 302)) * 4 * uniform(i, 303));
    view.targets.push_back(1);
    view.loss += view.losses.back();
  }
  view.loss_per_target = view.loss / 3000;
  view.perplexity = std::exp(view.loss_per_target);
  const auto [least, most] = std::minmax_element(view.losses.begin(), view.losses.end());
  view.worst = {{most - view.losses.begin(), "00000000000000aa", "", ""}};
  view.best = {{least - view.losses.begin(), "00000000000000cc", "", ""}};
  return view;
}

/// A log of `steps` steps, 49 to an epoch, whose loss falls from 6.2 to about 1.
inline TrainingView training(std::size_t steps = 686) {
  TrainingView view;
  view.recipe = "words.toml";
  view.model = {"words", "llama", 4, 64, 4, 4, 2048, 391000, "fp32"};
  view.start = "fresh weights, seed 0";
  view.data = "corpus.txt";
  view.examples = 2352;
  view.tokens = 81200;
  view.optimizer = "AdamW, weight decay 0.1, beta 0.9 and 0.999, gradient clipped to norm 1";
  view.schedule = "cosine from 0.003 to 0, 20 steps of warm-up";
  view.batch = 48;
  view.steps_per_epoch = 49;
  view.seconds = 41.2;
  view.tokens_per_second = 27400;
  view.date = "22 November 2026";
  for (std::size_t i = 0; i < steps; ++i) {
    const double x = static_cast<double>(i) / static_cast<double>(std::max<std::size_t>(steps, 2));
    const double loss = 1.02 + 5.2 * std::exp(-9 * x) + 0.24 * (uniform(i, 401) - 0.5) * (1 + 2 * std::exp(-6 * x));
    const double rate = i < 20 ? 0.003 * static_cast<double>(i + 1) / 20 : 0.0015 * (1 + std::cos(3.14159265 * x));
    view.log.push_back({static_cast<std::int64_t>(i), static_cast<double>(i + 1) / 49, loss, rate});
  }
  for (std::int64_t step = 69; step < static_cast<std::int64_t>(steps); step += 69) view.checkpoints.push_back(step);
  view.provenance.command = "assay train words.toml --out words";
  view.provenance.rows = {{"Assay", "", "0.1.0, built with g++ 12.2, LibTorch 2.13.0"},
                          {"Weights", "4c11d2a7e09b5f364c11d2a7e09b5f36", "of words/model.safetensors"},
                          {"Sample", "", "every number on this page is invented"}};
  view.provenance.costs = {{"Time", "38 s", "41 s", 38, 41}, {"Memory", "212 MB", "198 MB", 212, 198}};
  return view;
}

}  // namespace assay::report::sample
