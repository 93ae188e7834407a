#include "assay/train/checkpoints.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "assay/core/error.h"
#include "assay/core/hash.h"
#include "assay/core/twin.h"
#include "assay/core/version.h"
#include "assay/io/safetensors.h"
#include "assay/io/tensor.h"
#include "assay/nn/checkpoint.h"

namespace assay::train {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "step-";
constexpr const char* kUnfinished = ".unfinished";
constexpr const char* kOptimizer = "/optimizer.safetensors";

std::string checkpoints_folder(const std::string& run_folder) {
  return run_folder + "/checkpoints";
}

/// N of "step-N".
std::optional<int64_t> step_of(const std::string& name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  int64_t step = 0;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + kPrefix.size(), end, step);
  return error == std::errc() && stop == end ? std::optional(step) : std::nullopt;
}

void save_state(const nn::Parameters& state, const std::string& path) {
  io::Arrays arrays;
  for (size_t i = 0; i < state.size(); ++i) arrays[state.name(i)] = io::from_tensor(state[i]);
  io::write_safetensors(path, arrays);
}

nn::Parameters load_state(const std::string& path) {
  nn::Parameters state;
  for (const auto& [name, array] : io::read_safetensors(path, ErrorKind::Data).tensors) {
    state.add(name, io::to_tensor(array));
  }
  return state;
}

/// Loads one checkpoint into the trainer; Error(Data) or Error(Model) when it is not whole.
void load_step(Trainer& trainer, const SavedStep& saved, const TrainingRecord& record) {
  const nn::Model model = nn::load_checkpoint(saved.folder, trainer.model().dtype()).model;
  if (model.parameters().hash() != record.parameters_hash || record.step != saved.step) {
    throw Error(ErrorKind::Data, "resuming from \"" + saved.folder +
                                     "\": the weights must be those that its "
                                     "training.json names, but they are not; remove that folder");
  }
  trainer.restore(model.parameters(), load_state(saved.folder + kOptimizer), saved.step);
}

}  // namespace

std::vector<SavedStep> saved_steps(const std::string& run_folder) {
  std::vector<SavedStep> saved;
  const std::string folder = checkpoints_folder(run_folder);
  if (!fs::is_directory(folder)) return saved;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (const auto step = step_of(entry.path().filename().string())) saved.push_back({*step, entry.path().string()});
  }
  std::sort(saved.begin(), saved.end(), [](const auto& left, const auto& right) { return left.step < right.step; });
  return saved;
}

void save_step(const Trainer& trainer, const std::string& run_folder, const std::string& run, const Furnish& furnish) {
  const std::string folder = fmt::format("{}/{}{:06}", checkpoints_folder(run_folder), kPrefix, trainer.step());
  const std::string unfinished = folder + kUnfinished;
  fs::remove_all(unfinished);  // what a killed run left
  nn::save_checkpoint(trainer.model(), unfinished);
  save_state(trainer.optimizer().state(), unfinished + kOptimizer);
  if (furnish) furnish(unfinished);
  TrainingRecord record = record_of(trainer);
  record.run = run;
  write_record(record, unfinished);
  fs::remove_all(folder);  // passed over as damaged, or from before --force
  fs::rename(unfinished, folder);
}

int64_t resume(Trainer& trainer, const std::string& run_folder, const std::string& run, Progress& progress) {
  std::vector<SavedStep> saved = saved_steps(run_folder);
  for (auto newest = saved.rbegin(); newest != saved.rend(); ++newest) {
    std::optional<TrainingRecord> record;
    try {
      record = read_record(newest->folder);
      if (!record) throw Error(ErrorKind::Data, "it has no training.json");
      if (record->run == run) {
        load_step(trainer, *newest, *record);
        return newest->step;
      }
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::Data && error.kind() != ErrorKind::Model) throw;
      progress.note("passed over a damaged checkpoint, " + newest->folder + ": " + error.what());
      continue;
    }
    throw Error(ErrorKind::Usage, "resuming training in \"" + run_folder +
                                      "\": its checkpoints must be of this run, but start, data or options were "
                                      "different; choose another folder, or replace it with --force");
  }
  return 0;
}

std::string run_identity(const Trainer& trainer) {
  ASSAY_ASSERT(trainer.step() == 0);
  Hasher hasher;
  hasher.add(to_json(record_of(trainer)).dump()).add(trainer.model().architecture().config().dump());
  for (const Penalty& penalty : trainer.options().penalties) {
    hasher.add(penalty.name);
    if (!ASSAY_TWIN("train.penalties_known_by_name")) hasher.add(penalty.identity);
  }
  return hasher.digest128();
}

}  // namespace assay::train
