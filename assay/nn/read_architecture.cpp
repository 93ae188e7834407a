#include "assay/nn/read_architecture.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "assay/io/gguf.h"
#include "assay/io/json.h"
#include "assay/nn/gguf_model.h"

namespace assay::nn {
namespace {

namespace fs = std::filesystem;

std::shared_ptr<const Architecture> of_gguf(const std::string& path) {
  return make_architecture(config_of_gguf(io::Gguf::open(path, ErrorKind::Model)), {path, ErrorKind::Model});
}

}  // namespace

std::shared_ptr<const Architecture> read_architecture(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return path.ends_with(".gguf") ? of_gguf(path) : nullptr;
  const std::string config = (fs::path(path) / "config.json").string();
  if (fs::exists(config, error))
    return make_architecture(io::read_json(config, ErrorKind::Model), {config, ErrorKind::Model});
  std::string found;
  for (const auto& entry : fs::directory_iterator(path)) {
    if (entry.path().extension() != ".gguf") continue;
    if (!found.empty()) return nullptr;  // load_tokenizer refuses the folder by name
    found = entry.path().string();
  }
  return found.empty() ? nullptr : of_gguf(found);
}

}  // namespace assay::nn
