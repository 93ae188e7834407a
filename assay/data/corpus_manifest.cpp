#include "assay/data/corpus_manifest.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

#include "assay/core/hash.h"
#include "assay/core/twin.h"

namespace assay::data {
namespace {

std::string hash_of_first(uint64_t count, const std::string& path) {
  const io::FileDescriptor file = io::open_for_reading(path, ErrorKind::Data);
  Hasher hasher;
  std::vector<std::byte> buffer(size_t{1} << 20);
  while (count > 0) {
    const auto wanted = std::span(buffer).first(std::min<uint64_t>(count, buffer.size()));
    const size_t got = io::read_some(file, wanted, path, ErrorKind::Data);
    if (got == 0) break;
    hasher.add(wanted.first(got));
    count -= got;
  }
  return hasher.digest128();
}

}  // namespace

const char* to_string(LongTexts rule) noexcept {
  switch (rule) {
    case LongTexts::Cut: return "cut";
    case LongTexts::Split: return "split";
    case LongTexts::Refuse: return "refuse";
  }
  return "cut";
}

nlohmann::ordered_json to_json(const CorpusManifest& manifest) {
  nlohmann::ordered_json files = nlohmann::ordered_json::array();
  for (const FileFacts& file : manifest.files) {
    files.push_back(
        {{"path", file.path}, {"bytes", file.state.bytes}, {"hash", file.hash}, {"hashed_bytes", file.hashed_bytes}});
  }
  nlohmann::ordered_json json{{"path", manifest.path},
                              {"files", std::move(files)},
                              {"read", manifest.read},
                              {"dropped", manifest.dropped},
                              {"limited", manifest.is_limited},
                              {"hash", manifest.hash},
                              {"tokenizer_hash", manifest.tokenizer_hash},
                              {"bos", manifest.adds_bos},
                              {"context", manifest.context},
                              {"long", to_string(manifest.long_texts)}};
  if (!manifest.shards.empty()) json["shards"] = manifest.shards;
  return json;
}

void require_unchanged(const FileFacts& facts, const std::string& path) {
  const std::optional<io::FileState> now = io::state_of(path);
  if (!now || *now == facts.state || ASSAY_TWIN("data.changed_files_accepted")) return;
  const io::Source source{.name = facts.path};
  if (now->bytes != facts.state.bytes) {
    source.refuse("the file must be the one that was tokenized, but it had " + std::to_string(facts.state.bytes) +
                  " bytes then and has " + std::to_string(now->bytes) +
                  " now; put it back as it was, or tokenize it again");
  }
  if (hash_of_first(facts.hashed_bytes, path) == facts.hash) return;  // written again with the same bytes
  source.refuse(
      "the file must be the one that was tokenized, but it was written to since and holds other text; put it back as "
      "it was, or tokenize it again");
}

}  // namespace assay::data
