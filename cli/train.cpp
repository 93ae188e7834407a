// assay train: a model by a recipe, resumed where it was stopped.
#include <fmt/core.h>

#include <chrono>

#include "assay/core/error.h"
#include "assay/kernel/ceilings.h"
#include "assay/train/checkpoints.h"
#include "assay/train/cost.h"
#include "assay/train/recipe.h"
#include "assay/train/run.h"
#include "cli/commands.h"
#include "cli/result.h"

namespace assay::cli {
namespace {

using nlohmann::ordered_json;

train::Recipe recipe_of(const TrainOptions& options) {
  train::Recipe recipe = train::read_recipe(options.recipe);
  if (options.common.seed != 0) recipe.initial_seed = recipe.options.seed = static_cast<uint64_t>(options.common.seed);
  if (!options.common.out.empty()) recipe.output = options.common.out;
  if (recipe.output.empty()) {
    throw Error(ErrorKind::Usage,
                fmt::format("training by \"{}\": the model must have a folder to go to, but neither --out nor "
                            "[output] folder names one; add --out FOLDER",
                            options.recipe));
  }
  return recipe;
}

ordered_json data_json(const data::EncodedCorpus& corpus) {
  return {{"documents", corpus.documents},
          {"examples", corpus.dataset.size()},
          {"tokens", corpus.dataset.tokens()},
          {"long_documents", corpus.long_documents},
          {"tokens_cut", corpus.tokens_cut},
          {"without_target", corpus.without_target},
          {"bos", corpus.adds_bos}};
}

ordered_json result_of(const train::PreparedRun& run, const train::RunOutcome& outcome, const std::string& folder) {
  const double epochs = outcome.log.empty() ? 0 : outcome.log.back().epoch;
  return {{"model",
           {{"folder", folder},
            {"family", outcome.model.architecture().family()},
            {"parameters", outcome.model.parameters().count()}}},
          {"data", data_json(run.corpus)},
          {"training", train::to_json(outcome.record)},
          {"loss",
           {{"first_epoch", train::mean_loss(outcome.log, 0, 1)},
            {"last_epoch", train::mean_loss(outcome.log, epochs - 1, epochs)}}},
          {"resumed_from", outcome.resumed_from}};
}

void print_summary(const train::RunOutcome& outcome, const ordered_json& result, const std::string& folder) {
  if (outcome.was_finished) fmt::print("This run had finished before; nothing was done.\n");
  const bool by_token = outcome.record.reduction == train::Reduction::MeanOverTokens;
  fmt::print("{} steps; loss {:.3f} nats {} in the first epoch, {:.3f} in the last.\nThe model is in {}\n",
             outcome.record.step, result["loss"]["first_epoch"].get<double>(), by_token ? "a token" : "an example",
             result["loss"]["last_epoch"].get<double>(), folder);
}

}  // namespace

void run(const TrainOptions& options, Session& session) {
  const auto begin = std::chrono::steady_clock::now();
  const train::Recipe recipe = recipe_of(options);
  const at::ScalarType dtype = options.common.precision == Precision::Float64 ? at::kDouble : at::kFloat;
  const train::PreparedRun prepared = train::prepare(recipe, dtype);
  train::Trainer trainer(prepared.start, prepared.corpus.dataset, prepared.options);
  Plan plan(kernel::machine_ceilings(cache_folder("")));
  plan.add("training", train::training_cost(trainer));
  if (stops_at_plan(session, plan, "Fewer epochs in the recipe make it shorter")) return;

  const ResultFolder folder(recipe.output, session.invocation, train::run_identity(trainer));
  const train::RunOutcome outcome =
      train::run_in_folder(trainer, folder.path(), session.progress,
                           [&](const std::string& model) { data::save_tokenizer(prepared.tokenizer, model); });

  ordered_json result = result_head(session.invocation);
  result.update(result_of(prepared, outcome, folder.path()));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  result["cost"] = cost_report(plan, seconds.count());
  if (!outcome.was_finished) folder.write("result.json", result.dump(2) + "\n");
  if (options.common.json) return print_json(result);
  if (!options.common.quiet) print_summary(outcome, result, folder.path());
}

}  // namespace assay::cli
