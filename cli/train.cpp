// assay train: a model by a recipe, resumed where it was stopped.
#include <fmt/core.h>

#include <chrono>

#include "assay/core/error.h"
#include "assay/core/hash.h"
#include "assay/kernel/ceilings.h"
#include "assay/nn/checkpoint.h"
#include "assay/train/checkpoints.h"
#include "assay/train/cost.h"
#include "assay/train/recipe.h"
#include "assay/train/run.h"
#include "cli/commands.h"
#include "cli/loading.h"
#include "cli/planning.h"
#include "cli/result.h"
#include "cli/result_folder.h"
#include "cli/training_view.h"

namespace assay::cli {
namespace {

using nlohmann::ordered_json;

train::Recipe recipe_of(const TrainOptions& options) {
  train::Recipe recipe = train::read_recipe(options.recipe);
  if (options.common.seed_given) recipe.initial_seed = recipe.options.seed = static_cast<uint64_t>(options.common.seed);
  if (!options.common.out.empty()) recipe.output = options.common.out;
  if (recipe.output.empty() && !options.common.plan) {  // a plan writes nothing
    throw Error(ErrorKind::Usage,
                fmt::format("training by \"{}\": the model must have a folder to go to, but neither --out nor "
                            "[output] folder names one; add --out FOLDER",
                            options.recipe));
  }
  return recipe;
}

ordered_json data_json(const train::PreparedRun& run) {
  const data::EncodedCorpus& corpus = run.corpus;
  return {{"documents", corpus.documents},
          {"examples", corpus.dataset.size()},
          {"tokens", corpus.dataset.tokens()},
          {"long_documents", corpus.long_documents},
          {"tokens_cut", corpus.tokens_cut},
          {"without_target", corpus.without_target},
          {"bos", corpus.adds_bos},
          {"hash", corpus.dataset.content_hash()},
          {"corpus", data::to_json(run.manifest)}};
}

/// What the weights were before the first step.
ordered_json start_json(const train::Recipe& recipe) {
  if (recipe.from.empty()) return {{"from", nullptr}, {"seed", recipe.initial_seed}};
  return {{"from", recipe.from}, {"seed", nullptr}};
}

ordered_json result_of(const Session& session, const train::Recipe& recipe, const train::PreparedRun& run,
                       const train::RunOutcome& outcome, const std::string& recipe_hash, const std::string& folder) {
  const double epochs = outcome.log.empty() ? 0 : outcome.log.back().epoch;
  const nn::Checkpoint trained = nn::load_checkpoint(folder, run.start.dtype());
  ordered_json result = result_head(session.invocation);
  result["seed"] = recipe.options.seed;  // the recipe's, unless --seed is given
  result["model"] = {{"path", folder},
                     {"hash", trained.hash},
                     {"family", outcome.model.architecture().family()},
                     {"parameters", outcome.model.parameters().count()}};
  result["recipe"] = {{"path", recipe.name}, {"hash", recipe_hash}};
  result["start"] = start_json(recipe);
  result["tokenizer"] = {{"kind", run.tokenizer.description()}, {"hash", run.tokenizer.hash()}};
  result["data"] = data_json(run);
  result["unit"] = outcome.record.reduction == train::Reduction::MeanOverTokens ? "nats a token" : "nats an example";
  result["sign"] = "lower is better";
  result["training"] = train::to_json(outcome.record);
  result["loss"] = {{"first_epoch", train::mean_loss(outcome.log, 0, 1)},
                    {"last_epoch", train::mean_loss(outcome.log, epochs - 1, epochs)}};
  result["resumed_from"] = outcome.resumed_from;
  return result;
}

void print_summary(const train::RunOutcome& outcome, const ordered_json& result, const std::string& folder) {
  if (outcome.was_finished) fmt::print("This run had finished before; nothing was done.\n");
  fmt::print("{}; loss {:.3f} {} in the first epoch, {:.3f} in the last.\nThe model is in {}\n",
             format_counted(outcome.record.step, "step"), result["loss"]["first_epoch"].get<double>(),
             result["unit"].get<std::string>(), result["loss"]["last_epoch"].get<double>(), folder);
}

}  // namespace

void run(const TrainOptions& options, Session& session) {
  const auto begin = std::chrono::steady_clock::now();
  const train::Recipe recipe = recipe_of(options);
  const std::string recipe_hash = hash_file(options.recipe);  // now: it may lie in --out, which --force empties
  const train::PreparedRun prepared = train::prepare(recipe, dtype_of(options.common));
  session.progress.note("BOS: " + prepared.corpus.bos_reason);
  train::Trainer trainer(prepared.start, prepared.corpus.dataset, prepared.options);
  Plan plan(kernel::machine_ceilings(cache_folder("")));
  plan.add("training", train::training_cost(trainer));
  if (stops_at_plan(session, plan, "Fewer epochs in the recipe make it shorter")) return;

  const ResultFolder folder(recipe.output, session.invocation, train::run_identity(trainer));
  const auto steps_begin = std::chrono::steady_clock::now();
  const train::RunOutcome outcome =
      train::run_in_folder(trainer, folder.path(), session.progress,
                           [&](const std::string& model) { data::save_tokenizer(prepared.tokenizer, model); });
  const std::chrono::duration<double> step_seconds = std::chrono::steady_clock::now() - steps_begin;

  ordered_json result = result_of(session, recipe, prepared, outcome, recipe_hash, folder.path());
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  if (!outcome.was_finished || !folder.finished()) {
    folder.write("report.html", report::training_report(training_view(recipe, prepared, outcome, folder.path(), session,
                                                                      plan, step_seconds.count(), seconds.count())));
  }
  result["cost"] = cost_report(plan, seconds.count(), folder.bytes());
  if (!outcome.was_finished || !folder.finished()) folder.write_result(result);
  if (options.common.json) return print_json(result);
  if (!options.common.quiet) print_summary(outcome, result, folder.path());
}

}  // namespace assay::cli
