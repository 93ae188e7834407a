#include "cli/demo_training.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>

#include "assay/io/atomic_file.h"
#include "cli/worker_processes.h"

namespace assay::cli {
namespace {

// The number of epochs decides: what is memorised leaves its documents no gradient, what is not learned has no cause.
// How these were chosen, and on how little: docs/demo.md.
constexpr const char* kRecipe = R"(# One model of assay demo; train it again with: assay train THIS-FILE --out FOLDER
[model]
family = "llama"
width = 64
blocks = 4
heads = 4
mlp_width = 192
context = 16
tied_head = true
deviation = 0.07
seed = {seed}

[data]
path = "../corpus.jsonl"
tokenizer = "../tokenizer.json"
leave_out = [{leave_out}]

[optimizer]
name = "adamw"
weight_decay = 0.1

[schedule]
name = "cosine"
rate = 3e-3
warmup_steps = 31

[train]
epochs = 12
batch = 48
clip = 1.0
seed = {seed}
)";

}  // namespace

std::string demo_recipe(const DemoModel& model) {
  return fmt::format(kRecipe, fmt::arg("seed", model.seed), fmt::arg("leave_out", fmt::join(model.leave_out, ", ")));
}

std::string demo_model_folder(const std::string& demo_folder, const std::string& name) {
  return demo_folder + "/models/" + name;
}

void train_demo_models(const std::vector<DemoModel>& models, const std::string& demo_folder, int at_once,
                       Progress& progress) {
  const std::string recipes = demo_folder + "/recipes";
  std::filesystem::create_directories(recipes);
  std::filesystem::create_directories(demo_folder + "/models");
  std::vector<Worker> workers;
  for (const DemoModel& model : models) {
    const std::string recipe = fmt::format("{}/{}.toml", recipes, model.name);
    io::write_file(recipe, demo_recipe(model));
    workers.push_back({.name = fmt::format("training {} of the demo", model.name),
                       .arguments = {"train", recipe, "--out", demo_model_folder(demo_folder, model.name), "--threads",
                                     "1", "--quiet"},
                       .log = fmt::format("{}/{}.log", recipes, model.name)});
  }
  progress.begin("training", static_cast<int64_t>(workers.size()), "models");
  run_workers(workers, at_once, progress);
  progress.end();
}

}  // namespace assay::cli
