#include "cli/demo_options.h"

#include "cli/typed_options.h"

namespace assay::cli {

void describe(CLI::App& command, DemoOptions& options) {
  options.common.out = "demo";
  command.description("Show it all on a corpus whose causes are known: train, attribute, prove by retraining, report.");
  command.footer(
      R"(Generates the corpus, trains a small model on it, asks which documents made it answer as it does, compares with
simpler methods, and trains again without the documents found. Takes under four minutes and downloads nothing.
The model, its corpus and the questions stay in --out, for `assay attribute` and the other commands.

Examples:
  assay demo
  assay demo --out /tmp/demo --seed 3
  assay demo --no-retrain)");
  command.add_flag_callback(
      "--no-retrain", [&options] { options.retrain = false; }, "Leave out the proof by retraining");
  describe(command, options.common,
           {.kept = "report.html, result.json, the corpus, the models and their scores",
            .arithmetic = Arithmetic::Training});
}

}  // namespace assay::cli
