#include "assay/train/run.h"

#include <filesystem>
#include <limits>

#include "assay/core/error.h"
#include "assay/nn/checkpoint.h"
#include "assay/train/log_file.h"

namespace assay::train {
namespace {

/// training.json is written last, so that a record with every step in it means a whole model beside it.
bool is_finished(const std::optional<TrainingRecord>& record) {
  return record && record->step == record->total_steps;
}

/// Takes the remaining steps. Stopped by the user, it leaves a checkpoint of the last step.
void take_steps(Trainer& trainer, LogFile& log, const std::string& folder, const std::string& run,
                const Furnish& furnish, Progress& progress) {
  const int64_t every = trainer.options().checkpoint_every;
  progress.begin("training", trainer.total_steps(), "steps");
  try {
    progress.advance(trainer.step());
    while (!trainer.is_done()) {
      log.add(trainer.advance());
      const bool is_due = every > 0 && trainer.step() % every == 0;
      if (is_due && !trainer.is_done()) save_step(trainer, folder, run, furnish);
      progress.advance(1);
    }
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::Interrupted && trainer.step() > 0) save_step(trainer, folder, run, furnish);
    throw;
  }
  progress.end();
}

}  // namespace

RunOutcome run_in_folder(Trainer& trainer, const std::string& folder, Progress& progress, const Furnish& furnish) {
  const std::string run = run_identity(trainer);
  const std::string log_path = folder + "/log.jsonl";
  std::filesystem::create_directories(folder);

  RunOutcome outcome;
  if (const auto record = read_record(folder); is_finished(record)) {
    if (record->run != run) {
      throw Error(ErrorKind::Usage,
                  "training in \"" + folder +
                      "\": the folder must be empty or hold this run, but "
                      "start, data or options of the run in it were different; choose another folder");
    }
    outcome.model = nn::load_checkpoint(folder, trainer.model().dtype()).model;
    outcome.record = *record;
    outcome.log = read_log(log_path);
    outcome.was_finished = true;
    return outcome;
  }

  outcome.resumed_from = resume(trainer, folder, run, progress);
  if (outcome.resumed_from > 0) progress.note("goes on after step " + std::to_string(outcome.resumed_from));
  LogFile log(log_path, outcome.resumed_from);
  take_steps(trainer, log, folder, run, furnish, progress);

  nn::Parameters trained = trainer.model().parameters();
  trained.require_gradients(false);
  outcome.model = trainer.model().with(std::move(trained));
  outcome.record = record_of(trainer);
  outcome.record.run = run;
  outcome.log = read_log(log_path);
  nn::save_checkpoint(outcome.model, folder);
  if (furnish) furnish(folder);
  write_record(outcome.record, folder);
  return outcome;
}

double mean_loss(const std::vector<StepLog>& log, double from, double to) {
  double sum = 0;
  int64_t steps = 0;
  for (const StepLog& step : log) {
    if (step.epoch <= from || step.epoch > to) continue;
    sum += step.loss;
    ++steps;
  }
  return steps > 0 ? sum / static_cast<double>(steps) : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace assay::train
