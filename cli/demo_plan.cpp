#include "cli/demo_plan.h"

#include <stdlib.h>

#include <filesystem>

#include "assay/attribute/cost.h"
#include "assay/attribute/methods_options.h"
#include "assay/core/error.h"
#include "assay/core/machine.h"
#include "assay/data/queries.h"
#include "assay/io/atomic_file.h"
#include "assay/nn/measurement.h"
#include "assay/train/cost.h"
#include "assay/train/recipe.h"
#include "cli/demo_files.h"
#include "cli/demo_subject.h"
#include "cli/demo_training.h"
#include "cli/loading.h"

namespace assay::cli {
namespace {

/// A folder for as long as the plan is made: recipes are read from files, and a plan leaves none behind.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "assay-plan-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr)
      throw Error(ErrorKind::Resource, "planning the demo: the folder for temporary files must be writable, but \"" +
                                           pattern + "\" cannot be made; set TMPDIR to one that is");
    path_ = pattern;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// One run of the demo's recipe on its corpus, not yet started.
train::PreparedRun prepared_run(const data::ThreeCauses& corpus, const CommonOptions& common) {
  const ScratchFolder scratch;
  write_demo_files(corpus, scratch.path());
  const std::string recipe = scratch.path() + "/recipes/everything.toml";
  std::filesystem::create_directories(scratch.path() + "/recipes");
  io::write_file(recipe, demo_recipe({.name = "everything", .seed = 0, .leave_out = {}}));
  return train::prepare(train::read_recipe(recipe), dtype_of(common));
}

/// `models` runs of the same cost, `at_once` side by side, each in a process with one thread.
Cost side_by_side(Cost one, int models, int at_once) {
  const double rounds = static_cast<double>((models + at_once - 1) / at_once);
  one.flops *= rounds * at_once;  // processes share the machine's arithmetic
  one.flops_fp64 *= rounds * at_once;
  one.bytes_moved *= rounds * at_once;
  one.operator_calls *= rounds;
  one.peak_bytes = resident_bytes() + at_once * one.peak_bytes;
  one.disk_bytes *= models;
  return one;
}

data::Dataset questions_of(const data::ThreeCauses& corpus, const data::Tokenizer& tokenizer, int64_t context) {
  std::vector<data::Query> queries;
  for (const data::CausedQuestion& question : corpus.questions)
    queries.push_back(data::encode_query({question.prompt, question.completion, "the demo's questions"}, tokenizer,
                                         {.context = context}));
  return data::query_dataset(queries);
}

/// Every method once, and a second fit for the stability of ours. l-RelatIF finds our factors in the cache.
Cost scoring_cost(const data::ThreeCauses& corpus, const train::PreparedRun& run, const Ceilings& ceilings) {
  const data::Dataset questions = questions_of(corpus, run.tokenizer, run.start.architecture().facts().context);
  const attribute::Inputs inputs{.model = run.start,
                                 .train = {run.corpus.dataset},
                                 .queries = {questions},
                                 .measurement = nn::log_probability(),
                                 .layers = run.start.architecture().match_layers("*")};
  Plan stages(ceilings);
  for (const std::string& call : demo_methods())
    attribute::add_score_stage(stages, parse_factory(call, attribute::method_table(), "method"), inputs, {});
  const FactoryCall ours = parse_factory(demo_methods().front(), attribute::method_table(), "method");
  for (const char* draw : {"", ", other labels"}) attribute::add_fit_stages(stages, ours, inputs, draw);
  attribute::add_score_stage(stages, ours, inputs, {});
  Cost cost;
  for (const PlannedStage& stage : stages.stages()) cost += stage.cost;
  return cost;
}

}  // namespace

int demo_processes(const CommonOptions& common) {
  return common.threads > 0 ? static_cast<int>(common.threads) : granted_cores();
}

Plan plan_demo(const DemoOptions& options, const Ceilings& ceilings) {
  const data::ThreeCauses corpus = data::three_causes(static_cast<uint64_t>(options.common.seed));
  const train::PreparedRun run = prepared_run(corpus, options.common);
  const Cost training = train::training_cost(train::Trainer(run.start, run.corpus.dataset, run.options));
  const int at_once = demo_processes(options.common), first = 2, again = 4;
  Plan plan(ceilings);
  plan.add("training", side_by_side(training, first, std::min(first, at_once)));
  plan.add("factors and scores", scoring_cost(corpus, run, ceilings));
  if (options.retrain) plan.add("training again", side_by_side(training, again, std::min(again, at_once)));
  return plan;
}

}  // namespace assay::cli
