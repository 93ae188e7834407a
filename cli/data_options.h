// Options of the commands that read text.
#pragma once

#include <cstdint>
#include <string>

namespace CLI {
class App;
}

namespace assay::cli {

enum class LongText { Cut, Split, Refuse };
enum class BeginToken { Auto, Yes, No };

struct DataOptions {
  std::string data;                         ///< a file, a folder, token shards, or "-" for standard input
  std::string separator = "<|endoftext|>";  ///< between documents of plain text
  std::string field = "text";               ///< of a JSONL line or a row of Parquet
  int64_t limit = 0;                        ///< documents read; 0: all
  int64_t context = 0;                      ///< tokens of one document, BOS included; 0: the model's, or the shards'
  LongText long_text = LongText::Cut;       ///< what becomes of longer documents
  bool long_given = false;
  BeginToken begin_token = BeginToken::Auto;  ///< whether BOS stands before each document; Auto: as the tokenizer says
  bool begin_inherited = false;               ///< an index says so, to which documents are appended
};

/// `required`: whether the command needs --data.
void describe(CLI::App& command, DataOptions& options, bool required);

}  // namespace assay::cli
