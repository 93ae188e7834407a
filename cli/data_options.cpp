#include "cli/data_options.h"

#include "cli/typed_options.h"

namespace assay::cli {

void describe(CLI::App& command, DataOptions& options, bool required) {
  constexpr const char* kGroup = "Text";
  const auto grouped = [](CLI::Option* option) { return option->group(kGroup); };
  grouped(add_text(command, "--data", options.data, "FILE|DIR|-",
                   "Documents: plain text, .jsonl, .jsonl.zst, a folder of those, or - for standard input"))
      ->required(required);
  grouped(add_text(command, "--separator", options.separator, "TEXT",
                   "What stands between documents of plain text; pieces are stripped, empty ones dropped"));
  grouped(add_text(command, "--field", options.field, "NAME", "The JSONL field that holds the text"));
  grouped(add_integer(command, "--limit", options.limit, {.minimum = 0}, "Read only the first N documents", "all"));
  grouped(add_integer(command, "--context", options.context, {.minimum = 0}, "Tokens of one document, BOS included",
                      "the model's context"));
  grouped(add_choice<LongText>(command, "--long", options.long_text,
                               {{"cut", LongText::Cut}, {"split", LongText::Split}, {"refuse", LongText::Refuse}},
                               "What becomes of longer documents"));
  grouped(add_choice<BeginToken>(command, "--bos", options.begin_token,
                                 {{"auto", BeginToken::Auto}, {"yes", BeginToken::Yes}, {"no", BeginToken::No}},
                                 "Put a begin token before each document; auto does as the tokenizer says"));
}

}  // namespace assay::cli
