// The demo's models: one recipe each, trained by `assay train` in processes of their own. Nothing about them is
// private: the recipes lie in the demo's folder and the command that trains them is the user's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "assay/core/progress.h"
#include "cli/common_options.h"

namespace assay::cli {

/// One model of the demo.
struct DemoModel {
  std::string name;                ///< "everything-0": of the recipe and of the folder
  uint64_t seed = 0;               ///< of fresh weights and of the order of documents
  std::vector<int64_t> leave_out;  ///< rows of the corpus that it is trained without
};

/// The recipe that `assay train` reads: sizes, optimizer and length of training are the same for every model.
std::string demo_recipe(const DemoModel& model);

/// Where the model of that name is trained, below the demo's folder.
std::string demo_model_folder(const std::string& demo_folder, const std::string& name);

/// The words of the `assay train` that trains it, with one thread.
std::vector<std::string> demo_training_words(const DemoModel& model, const std::string& demo_folder,
                                             Precision precision);

/// Writes the recipes and trains those that are not trained yet, `at_once` side by side.
void train_demo_models(const std::vector<DemoModel>& models, const std::string& demo_folder, Precision precision,
                       int at_once, Progress& progress);

}  // namespace assay::cli
