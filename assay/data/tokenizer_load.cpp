// Finds the file that holds a tokenizer.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "assay/core/error.h"
#include "assay/data/tokenizer.h"
#include "assay/data/tokenizer_files.h"

namespace assay::data {
namespace {

namespace fs = std::filesystem;

bool holds_vocab_and_merges(const fs::path& folder) {
  return fs::exists(folder / "vocab.json") && fs::exists(folder / "merges.txt");
}

TokenizerDefinition read_folder(const fs::path& folder) {
  if (fs::exists(folder / "tokenizer.json")) return read_tokenizer_json((folder / "tokenizer.json").string());
  std::vector<fs::path> gguf_files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".gguf") gguf_files.push_back(entry.path());
  }
  if (gguf_files.size() == 1) return read_tokenizer_gguf(gguf_files.front().string());
  if (holds_vocab_and_merges(folder)) return read_tokenizer_vocab_merges(folder.string());
  throw Error(
      ErrorKind::Model,
      fmt::format(
          "reading the tokenizer of \"{}\": the folder must hold tokenizer.json, or vocab.json and merges.txt, or "
          "one .gguf file, but it holds {}; copy the tokenizer's files beside the model, or name the file itself",
          folder.string(), gguf_files.empty() ? "none of them" : fmt::format("{} .gguf files", gguf_files.size())));
}

}  // namespace

Tokenizer load_tokenizer(const std::string& path) {
  const fs::path file = path;
  if (fs::is_directory(file)) return Tokenizer(read_folder(file));
  if (file.extension() == ".gguf") return Tokenizer(read_tokenizer_gguf(path));
  return Tokenizer(read_tokenizer_json(path));
}

Tokenizer word_level_tokenizer(const std::vector<std::string>& words, const std::string& unknown) {
  const auto found = std::find(words.begin(), words.end(), unknown);
  ASSAY_ASSERT(found != words.end());
  TokenizerDefinition definition;
  definition.kind = TokenizerKind::WordLevel;
  definition.source = "generated words";
  definition.vocabulary = words;
  definition.split_rules = {split::at_white_space()};
  definition.unknown = static_cast<int32_t>(found - words.begin());
  return Tokenizer(std::move(definition));
}

}  // namespace assay::data
