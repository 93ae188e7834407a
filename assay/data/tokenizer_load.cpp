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

fs::path find_tokenizer_file(const fs::path& path) {
  if (!fs::is_directory(path)) return path;
  if (fs::exists(path / "tokenizer.json")) return path / "tokenizer.json";
  std::vector<fs::path> gguf_files;
  for (const auto& entry : fs::directory_iterator(path)) {
    if (entry.path().extension() == ".gguf") gguf_files.push_back(entry.path());
  }
  if (gguf_files.size() == 1) return gguf_files.front();
  throw Error(
      ErrorKind::Model,
      fmt::format("reading the tokenizer of \"{}\": the folder must hold tokenizer.json or one .gguf file, but it "
                  "holds {}; copy the tokenizer's files beside the model, or name the file itself",
                  path.string(), gguf_files.empty() ? "neither" : fmt::format("{} .gguf files", gguf_files.size())));
}

}  // namespace

Tokenizer load_tokenizer(const std::string& path) {
  const fs::path file = find_tokenizer_file(path);
  return Tokenizer(file.extension() == ".gguf" ? read_tokenizer_gguf(file.string())
                                               : read_tokenizer_json(file.string()));
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
