#include "cli/tokenize_options.h"

#include "cli/typed_options.h"

namespace assay::cli {

void describe(CLI::App& command, TokenizeOptions& options) {
  command.description("Show the tokens of a text.");
  command.footer(R"(Examples:
  assay tokenize build/models/smollm2 --text 'Hello world'
  assay tokenize build/models/smollm2 --text 'in 2024' --json | jq .ids)");
  add_text(command, "model", options.model, "MODEL", "Model folder, .gguf file or tokenizer.json")->required();
  add_text(command, "--text", options.text, "TEXT", "The text; - reads standard input")->required();
  add_choice<BeginToken>(command, "--bos", options.begin_token,
                         {{"auto", BeginToken::Auto}, {"yes", BeginToken::Yes}, {"no", BeginToken::No}},
                         "Put a begin token first; auto does as the tokenizer says");
  describe(command, options.common, "result.json");
}

}  // namespace assay::cli
