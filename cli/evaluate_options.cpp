#include "cli/evaluate_options.h"

#include "cli/typed_options.h"

namespace assay::cli {

void describe(CLI::App& command, EvaluateOptions& options) {
  command.description(
      "Measure how well a model predicts: loss per example and in total, perplexity, accuracy of classifiers.");
  command.footer(R"(Losses are in nats, summed over a document's tokens, and per token.

Examples:
  assay evaluate build/models/smollm2 --data build/models/corpus.txt
  assay evaluate model/ --data stories.jsonl.zst --field story --limit 100 --json)");
  add_text(command, "model", options.model, "MODEL", "Model folder or .gguf file")->required();
  describe(command, options.data, true);
  describe(command, options.common, {.kept = "result.json and report.html", .is_random = false});
}

}  // namespace assay::cli
