// assay demo: a corpus whose causes are known, a model trained on it, what each method finds of what was planted, and
// the proof by training again without it. The steps are those of the other commands, on files that stay in the folder.
#include <fmt/format.h>

#include <array>
#include <chrono>

#include "assay/core/hash.h"
#include "assay/core/machine.h"
#include "assay/core/version.h"
#include "assay/io/safetensors.h"
#include "assay/io/tensor.h"
#include "assay/kernel/ceilings.h"
#include "cli/commands.h"
#include "cli/demo_files.h"
#include "cli/demo_page.h"
#include "cli/demo_plan.h"
#include "cli/demo_results.h"
#include "cli/demo_training.h"
#include "cli/planning.h"
#include "cli/result.h"
#include "cli/result_folder.h"

namespace assay::cli {
namespace {

constexpr std::array<uint64_t, 2> kModelSeeds{0, 1};

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::string model_name(const char* training_set, uint64_t seed) {
  return fmt::format("{}-{}", training_set, seed);
}

/// The models of one training set, one a seed.
std::vector<DemoModel> models_of(const char* training_set, const std::vector<int64_t>& leave_out) {
  std::vector<DemoModel> models;
  for (const uint64_t seed : kModelSeeds) models.push_back({model_name(training_set, seed), seed, leave_out});
  return models;
}

/// Asks the trained models of one training set.
DemoTrainingSet ask(const char* training_set, const std::vector<int64_t>& removed, const std::string& folder,
                    const AttributionInputs& subject) {
  const at::ScalarType dtype = subject.checkpoint.model.dtype();
  DemoTrainingSet trained{.removed = removed, .log_probabilities = {}, .says = {}, .is_as_planted = {}};
  for (const uint64_t seed : kModelSeeds) {
    const nn::Checkpoint checkpoint =
        nn::load_checkpoint(demo_model_folder(folder, model_name(training_set, seed)), dtype);
    DemoAnswers answers = ask_demo_model(checkpoint.model, subject);
    trained.log_probabilities.by_seed.push_back(std::move(answers.log_probabilities));
    if (!trained.says.empty()) continue;
    trained.says = std::move(answers.says);
    trained.is_as_planted = std::move(answers.is_as_planted);
  }
  return trained;
}

void write_scores(const std::vector<DemoScores>& scores, const std::string& path) {
  io::Arrays arrays;
  for (const DemoScores& method : scores)
    arrays[method.call == scores.front().call ? "scores" : "scores." + method.call] = io::from_tensor(method.total);
  io::write_safetensors(path, arrays, {{"method", scores.front().call}});
}

/// Trains again without what was found, and without as many random documents.
void prove(DemoOutcome& outcome, const std::string& folder, const CommonOptions& common, Progress& progress) {
  const auto documents = static_cast<int64_t>(outcome.corpus.documents.size());
  const auto layers = static_cast<int64_t>(outcome.subject.layers.size());
  const DemoScores& ours = outcome.scores.front();
  const std::vector<int64_t> top = top_documents(outcome.corpus, ours);
  const std::vector<int64_t> random =
      evaluate::random_rows(documents, static_cast<int64_t>(top.size()), static_cast<uint64_t>(common.seed));
  std::vector<DemoModel> models = models_of("without_top", top);
  for (DemoModel& model : models_of("without_random", random)) models.push_back(std::move(model));
  train_demo_models(models, folder, common.precision, demo_processes(common), progress);
  outcome.without_top = ask("without_top", top, folder, outcome.subject);
  outcome.without_random = ask("without_random", random, folder, outcome.subject);
  for (DemoGroupFindings& group : outcome.groups)
    group.removal =
        removal_on(group, ours, documents, layers, outcome.everything, *outcome.without_top, *outcome.without_random);
}

}  // namespace

void run(const DemoOptions& options, Session& session) {
  const CommonOptions& common = options.common;
  const Clock::time_point start = Clock::now();
  const auto seed = static_cast<uint64_t>(common.seed);
  const std::string cache = cache_folder("");
  const Plan plan = plan_demo(options, kernel::machine_ceilings(cache));
  if (stops_at_plan(session, plan, "--no-retrain makes it shorter")) return;

  const std::string identity = Hasher()
                                   .add("demo")
                                   .add(version())
                                   .add(seed)
                                   .add(uint64_t{options.retrain})
                                   .add(static_cast<uint64_t>(common.precision))
                                   .digest128();
  const ResultFolder folder(common.out, session.invocation, identity);
  const data::ThreeCauses corpus = data::three_causes(seed);
  write_demo_files(corpus, folder.path());
  train_demo_models(models_of("everything", {}), folder.path(), common.precision, demo_processes(common),
                    session.progress);
  const AttributeOptions attribute_options = demo_attribute_options(
      common, folder.path(), demo_model_folder(folder.path(), model_name("everything", kModelSeeds[0])));
  const AttributionInputs subject = load_attribution(attribute_options, session.progress);
  const std::vector<DemoScores> scores = score_demo(subject, attribute_options, session.progress);
  write_scores(scores, folder.file("scores.safetensors"));
  const double stability = demo_stability(subject, attribute_options, scores.front(), session.progress);

  const DemoTrainingSet everything = ask("everything", {}, folder.path(), subject);
  DemoOutcome outcome{.corpus = corpus,
                      .subject = subject,
                      .scores = scores,
                      .stability = stability,
                      .groups = find_planted(corpus, scores, everything),
                      .seeds = {kModelSeeds.begin(), kModelSeeds.end()},
                      .everything = everything,
                      .without_top = {},
                      .without_random = {}};
  if (options.retrain) prove(outcome, folder.path(), common, session.progress);

  const double seconds = seconds_since(start);
  const std::string attribute_command = demo_attribute_command(attribute_options);
  folder.write("report.html",
               report::demo_report(demo_page(outcome, session.invocation, attribute_command, plan, seconds)));
  nlohmann::ordered_json result = demo_json(outcome, session.invocation);
  result["attribute_command"] = attribute_command;
  result["cost"] = cost_report(plan, seconds, folder.bytes());
  folder.write_result(result);
  if (common.json) return print_json(result);
  fmt::print("{}\nThe report is {}\n", demo_summary(outcome), folder.file("report.html"));
}

}  // namespace assay::cli
