#include "cli/inspect_options.h"

#include "cli/typed_options.h"

namespace assay::cli {

void describe(CLI::App& command, InspectOptions& options) {
  command.description("Show what a checkpoint holds and what its parts are called.");
  command.footer(
      R"(MODEL is a folder in the Hugging Face layout (config.json, model.safetensors, tokenizer.json) or a .gguf file.

Examples:
  assay inspect build/models/smollm2
  assay inspect build/models/smollm2 --layers
  assay inspect model.gguf --weights --json)");
  add_text(command, "model", options.model, "MODEL", "Model folder or .gguf file")->required();
  add_switch(command, "--sites", options.sites, "List the activations that can be recorded or edited");
  add_switch(command, "--layers", options.layers, "List the linear layers and say which can be tracked");
  add_switch(command, "--weights", options.weights, "List every tensor: shape, type in the file, norm");
  describe(command, options.common, {.kept = "result.json", .arithmetic = Arithmetic::Loading, .is_random = false});
}

}  // namespace assay::cli
