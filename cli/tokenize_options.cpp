#include "cli/tokenize_options.h"

#include "cli/typed_options.h"

namespace assay::cli {

void describe(CLI::App& command, TokenizeOptions& options) {
  command.description("Show the tokens of a text, or turn a corpus into token shards that every command reads.");
  command.footer(R"(Shards go to DIR/shards; --data DIR then names them. They fit one tokenizer, one rule about BOS and
one context, and say so. Killed at any moment, the same command goes on behind the last whole shard.

Examples:
  assay tokenize build/models/smollm2 --text 'Hello world'
  assay tokenize build/models/smollm2 --text 'in 2024' --json | jq .ids
  assay tokenize build/models/smollm2 --data stories.jsonl.zst --context 512 --out tokens/
  assay tokenize build/models/smollm2 --data texts/ --out tokens/ --plan)");
  add_text(command, "model", options.model, "MODEL", "Model folder, .gguf file or tokenizer.json")->required();
  add_text(command, "--text", options.text, "TEXT", "One text; - reads standard input")
      ->each([&options](const std::string&) { options.text_given = true; });
  describe(command, options.data, false);
  describe(
      command, options.common,
      {.kept = "result.json, and with --data the folder shards/", .arithmetic = Arithmetic::None, .is_random = false});
}

}  // namespace assay::cli
