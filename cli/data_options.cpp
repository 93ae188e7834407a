#include "cli/data_options.h"

#include "cli/typed_options.h"

namespace assay::cli {
namespace {

/// A shell hands '\n' on as two characters, and nobody means those.
std::string unescaped(const std::string& text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      plain += text[i];
      continue;
    }
    const char next = i + 1 < text.size() ? text[++i] : ' ';
    if (next != 'n' && next != 't' && next != '\\') {
      throw Error(ErrorKind::Usage, R"(reading --separator: a backslash must begin \n, \t or \\, but it is ")" + text +
                                        R"("; write \\ for a backslash of its own)");
    }
    plain += next == 'n' ? '\n' : next == 't' ? '\t' : '\\';
  }
  return plain;
}

}  // namespace

void describe(CLI::App& command, DataOptions& options, bool required) {
  constexpr const char* kGroup = "Text";
  const auto grouped = [](CLI::Option* option) { return option->group(kGroup); };
  grouped(add_text(command, "--data", options.data, "FILE|DIR|-",
                   "Documents: plain text, .jsonl, .jsonl.zst, .parquet, a folder of those, token shards, or - for "
                   "standard input"))
      ->required(required);
  auto read_separator = [&options](const std::string& text) { options.separator = unescaped(text); };
  grouped(command.add_option_function<std::string>(
              "--separator", read_separator,
              R"(What stands between documents of plain text (\n, \t and \\ stand for a line end, a tab and a )"
              R"(backslash); pieces are stripped, empty ones dropped)"))
      ->type_name("TEXT")
      ->default_str(options.separator);
  grouped(add_text(command, "--field", options.field, "NAME",
                   "The field of JSONL or Parquet that holds the text; plain text has none"));
  grouped(add_integer(command, "--limit", options.limit, {.minimum = 1}, "Read only the first N documents", "all"));
  grouped(add_integer(command, "--context", options.context, {.minimum = 1}, "Tokens of one document, BOS included",
                      "the model's context"));
  grouped(add_choice<LongText>(command, "--long", options.long_text,
                               {{"cut", LongText::Cut}, {"split", LongText::Split}, {"refuse", LongText::Refuse}},
                               "What becomes of longer documents")
              ->each([&options](const std::string&) { options.long_given = true; }));
  grouped(add_choice<BeginToken>(command, "--bos", options.begin_token,
                                 {{"auto", BeginToken::Auto}, {"yes", BeginToken::Yes}, {"no", BeginToken::No}},
                                 "Put a begin token before each document; auto does as the tokenizer says"));
}

}  // namespace assay::cli
