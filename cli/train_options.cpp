#include "cli/train_options.h"

#include "cli/typed_options.h"

namespace assay::cli {

void describe(CLI::App& command, TrainOptions& options) {
  command.description("Train a model by a recipe, from scratch or from a checkpoint.");
  command.footer(
      R"(Checkpoints are kept on the way; the same command again resumes from the last one and gives the same bits.
What a recipe holds: docs/train.md.

Examples:
  assay train recipe.toml --out model/
  assay train recipe.toml --out model/ --plan)");
  add_text(command, "recipe", options.recipe, "RECIPE", "Recipe file (.toml)")->required();
  describe(command, options.common,
           {.kept = "the model, its checkpoints, result.json and report.html", .arithmetic = Arithmetic::Training});
  command.get_option("--seed")
      ->description("Of fresh weights and of the order of documents; the same seed gives the same bits")
      ->default_str("the recipe's");
}

}  // namespace assay::cli
