// A trained model of the demo with corpus and questions, read back from the files that the demo leaves in the way of
// `assay attribute`: what is scored here can be scored again by it, bit for bit.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "assay/core/progress.h"
#include "cli/attribution.h"

namespace assay::cli {

/// What `assay attribute` would be asked for a model in the demo's folder.
AttributeOptions demo_attribute_options(const CommonOptions& common, const std::string& demo_folder,
                                        const std::string& model_folder);

/// The same as a line to be typed.
std::string demo_attribute_command(const AttributeOptions& options);

/// One method's scores of every document for every question.
struct DemoScores {
  std::string call;   ///< the factory string: "ekfac(damping=0.1,labels=sampled)"
  std::string title;  ///< "EK-FAC influence, damping 0.1"
  std::string name;   ///< short, for tables: "EK-FAC"
  at::Tensor total;   ///< [Q,N] float32
};

/// Factory strings of the methods that are compared; the first is ours.
std::vector<std::string> demo_methods();

/// The scores of all methods, the first is ours.
std::vector<DemoScores> score_demo(const AttributionInputs& subject, const AttributeOptions& options,
                                   Progress& progress);

/// How far the scores of ours depend on the sampled labels: Spearman, mean over questions.
double demo_stability(const AttributionInputs& subject, const AttributeOptions& options, const DemoScores& ours,
                      Progress& progress);

/// What a model answers to the questions.
struct DemoAnswers {
  std::vector<double> log_probabilities;  ///< [Q] of the right answer, nats
  std::vector<std::string> says;          ///< [Q] greedy continuation, as many tokens as the answer has
  std::vector<bool> is_as_planted;        ///< [Q] whether that is the right answer
};

DemoAnswers ask_demo_model(const nn::Model& model, const AttributionInputs& subject);

}  // namespace assay::cli
