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

/// "everything-0.toml" and what its training printed, "everything-0.log".
std::string recipe_file(const std::string& demo_folder, const std::string& model, const char* ending) {
  return fmt::format("{}/recipes/{}.{}", demo_folder, model, ending);
}

}  // namespace

std::string demo_recipe(const DemoModel& model) {
  return fmt::format(kRecipe, fmt::arg("seed", model.seed), fmt::arg("leave_out", fmt::join(model.leave_out, ", ")));
}

std::string demo_model_folder(const std::string& demo_folder, const std::string& name) {
  return demo_folder + "/models/" + name;
}

std::vector<std::string> demo_training_words(const DemoModel& model, const std::string& demo_folder,
                                             Precision precision) {
  return {"train",     recipe_file(demo_folder, model.name, "toml"),
          "--out",     demo_model_folder(demo_folder, model.name),
          "--dtype",   to_string(precision),
          "--threads", "1",
          "--quiet"};
}

void train_demo_models(const std::vector<DemoModel>& models, const std::string& demo_folder, Precision precision,
                       int at_once, Progress& progress) {
  std::filesystem::create_directories(demo_folder + "/recipes");
  std::filesystem::create_directories(demo_folder + "/models");
  std::vector<Worker> workers;
  for (const DemoModel& model : models) {
    io::write_file(recipe_file(demo_folder, model.name, "toml"), demo_recipe(model));
    workers.push_back({.name = fmt::format("training {} of the demo", model.name),
                       .arguments = demo_training_words(model, demo_folder, precision),
                       .log = recipe_file(demo_folder, model.name, "log")});
  }
  progress.begin("training", static_cast<int64_t>(workers.size()), "models");
  run_workers(workers, at_once, progress);
  progress.end();
}

}  // namespace assay::cli
