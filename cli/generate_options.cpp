#include "cli/generate_options.h"

#include "cli/typed_options.h"

namespace assay::cli {

void describe(CLI::App& command, GenerateOptions& options) {
  command.description("Let the model continue a text.");
  command.footer(
      R"(Greedy unless a temperature is given. The text goes to standard output, everything else to standard error.

Examples:
  assay generate build/models/smollm2 --prompt 'The capital of France is' --max-tokens 16
  assay generate build/models/smollm2 --chat --prompt 'Why is the sky blue?' --temperature 0.7 --top-p 0.9 --seed 1
  assay generate build/models/smollm2 --prompt 'Once' --json)");
  add_text(command, "model", options.model, "MODEL", "Model folder or .gguf file")->required();
  add_text(command, "--prompt", options.prompt, "TEXT", "The text to continue")->required();
  add_switch(command, "--chat", options.chat, "Wrap the prompt in the model's chat template");
  add_text(command, "--system", options.system, "TEXT", "System message, with --chat (default: the template's own)");
  add_choice<BeginToken>(
      command, "--bos", options.begin_token,
      {{"auto", BeginToken::Auto}, {"yes", BeginToken::Yes}, {"no", BeginToken::No}},
      "Put a begin token before the prompt; auto does as the tokenizer says, with --chat the template");
  add_integer(command, "--max-tokens", options.max_tokens, {.minimum = 1}, "Stop after N new tokens");
  add_number(command, "--temperature", options.temperature, {.minimum = 0, .maximum = 100},
             "0 takes the likeliest token each time");
  add_integer(command, "--top-k", options.top_k, {.minimum = 0}, "Sample among the N likeliest tokens", "all");
  add_number(command, "--top-p", options.top_p, {.minimum = 0, .maximum = 1},
             "Sample among the likeliest tokens that hold this probability");
  describe(command, options.common, {.kept = "result.json"});
}

}  // namespace assay::cli
