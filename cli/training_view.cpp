#include "cli/training_view.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <filesystem>

#include "assay/core/machine.h"
#include "assay/core/version.h"
#include "assay/train/checkpoints.h"
#include "cli/page_facts.h"
#include "cli/result.h"

namespace assay::cli {
namespace {

report::ModelFacts trained_model(const nn::Model& model, const std::string& folder) {
  const nn::Facts facts = model.architecture().facts();
  const std::filesystem::path path = std::filesystem::absolute(folder).lexically_normal();
  return {.name = (path.has_filename() ? path : path.parent_path()).filename().string(),
          .family = model.architecture().family(),
          .blocks = static_cast<int>(facts.blocks),
          .width = static_cast<int>(facts.width),
          .heads = static_cast<int>(facts.heads),
          .kv_heads = static_cast<int>(facts.key_value_heads),
          .vocabulary = static_cast<int>(facts.vocabulary),
          .parameters = model.parameters().count(),
          .dtype = model.dtype() == at::kDouble ? "fp64" : "fp32"};
}

std::string optimizer_in_words(const train::TrainingRecord& record) {
  using Kind = train::OptimizerOptions::Kind;
  const train::OptimizerOptions& options = record.optimizer;
  std::string words = options.kind == Kind::AdamW ? fmt::format("AdamW, beta {} and {}, epsilon {}", options.beta1,
                                                                options.beta2, options.epsilon)
                                                  : fmt::format("SGD, momentum {}", options.momentum);
  words += fmt::format(", weight decay {}", options.weight_decay);
  if (options.weight_decay > 0) words += options.vectors_decay ? ", of vectors too" : ", not of vectors";
  if (record.clip_norm > 0) words += fmt::format("; gradient clipped to norm {}", record.clip_norm);
  return words;
}

std::string schedule_in_words(const train::Schedule& schedule) {
  using Kind = train::Schedule::Kind;
  const double last = schedule.rate * schedule.final_fraction;
  std::string words = fmt::format("{}, {}", train::to_string(schedule.kind), schedule.rate);
  if (schedule.kind == Kind::Drop) words += fmt::format(", then {} after {} of all steps", last, schedule.drop_at);
  if (schedule.kind == Kind::Linear || schedule.kind == Kind::Cosine) words += fmt::format(" falling to {}", last);
  if (schedule.warmup_steps > 0) {
    words += fmt::format(", {} step{} of warm-up", format_count(schedule.warmup_steps),
                         schedule.warmup_steps == 1 ? "" : "s");
  }
  return words;
}

report::Provenance training_provenance(const train::Recipe& recipe, const train::TrainingRecord& record,
                                       const data::Tokenizer& tokenizer, const std::string& folder,
                                       const Session& session, const Plan& plan, double seconds) {
  report::Provenance result;
  result.command = shell_line(session.invocation);
  result.note = "The same recipe on the same files gives the same bits, on as many threads.";
  result.rows = {{"Assay", "", fmt::format("{}, LibTorch {}", version_line(), ASSAY_TORCH_VERSION)},
                 {"Recipe", recipe.name, ""},
                 {"Weights", record.parameters_hash, fmt::format("of {}/model.safetensors", folder)},
                 {"Trained on", record.corpus_hash, format_counted(record.examples, "example")},
                 {"Tokenizer", tokenizer.hash(), tokenizer.description()},
                 {"Seed", std::to_string(record.seed), "of the order of the examples"},
                 {"Run", record.run, "start, data and options"},
                 {"Threads", std::to_string(at::get_num_threads()), processor().model}};
  result.costs = cost_rows(plan, seconds);
  return result;
}

}  // namespace

report::TrainingView training_view(const train::Recipe& recipe, const train::PreparedRun& prepared,
                                   const train::RunOutcome& outcome, const std::string& folder, const Session& session,
                                   const Plan& plan, double training_seconds, double seconds) {
  const train::TrainingRecord& record = outcome.record;
  report::TrainingView view;
  view.recipe = std::filesystem::path(recipe.name).filename().string();
  view.model = trained_model(outcome.model, folder);
  view.start = recipe.from.empty() ? fmt::format("fresh weights, seed {}", recipe.initial_seed) : recipe.from;
  view.data = std::filesystem::path(recipe.text.path).lexically_normal().filename().string();
  view.examples = record.examples;
  view.tokens = prepared.corpus.dataset.tokens();
  view.documents_cut = prepared.corpus.tokens_cut > 0 ? prepared.corpus.long_documents : 0;
  view.context = static_cast<int>(prepared.corpus.dataset.longest());
  view.left_out = record.left_out;
  view.optimizer = optimizer_in_words(record);
  view.schedule = schedule_in_words(record.schedule);
  view.unit = record.reduction == train::Reduction::MeanOverTokens ? "nats a token" : "nats an example";
  view.batch = record.batch_size;
  view.steps_per_epoch = record.steps_per_epoch;
  int64_t tokens_taken = 0;  // by this process; what stood before an interruption took its time elsewhere
  for (const train::StepLog& step : outcome.log) {
    view.log.push_back({.step = step.step, .epoch = step.epoch, .loss = step.loss, .rate = step.rate});
    if (step.step >= outcome.resumed_from) tokens_taken += step.tokens;
  }
  for (const train::SavedStep& saved : train::saved_steps(folder)) view.checkpoints.push_back(saved.step);
  view.resumed_from = outcome.resumed_from;
  if (!outcome.was_finished && training_seconds > 0) {
    view.seconds = training_seconds;
    view.tokens_per_second = static_cast<double>(tokens_taken) / training_seconds;
  }
  view.date = today();
  view.provenance = training_provenance(recipe, record, prepared.tokenizer, folder, session, plan, seconds);
  return view;
}

}  // namespace assay::cli
