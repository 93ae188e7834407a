// `assay attribute` on a tiny model, with a cache of its own: what its tests ask and look at.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tests/acceptance/program.h"
#include "tests/acceptance/tiny_model.h"

namespace assay {

class TinyAttribution {
 public:
  explicit TinyAttribution(int documents) : corpus_(folder_.write("corpus.txt", tiny_corpus_of(documents))) {
    write_tiny_model(model_);
  }

  const TemporaryFolder& folder() const { return folder_; }
  const std::string& model() const { return model_; }
  const std::string& corpus() const { return corpus_; }
  std::string cache() const { return folder_ / "cache"; }
  std::string out(const std::string& name) const { return folder_ / name; }

  /// The words of a command line; `more` wins over nothing: an option given twice is refused.
  std::vector<std::string> words(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all{"attribute", model_, "--data",  corpus_, "--prompt", "the cat", "--completion", " sat",
                                 "--top",     "1",    "--trust", "no",    "--cache",  cache(),   "--threads",    "1"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  std::vector<std::string> into(const std::string& name, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all = words(more);
    all.insert(all.end(), {"--out", out(name)});
    return all;
  }

  std::string scores(const std::string& name) const { return read_bytes(out(name) + "/scores.safetensors"); }
  bool is_finished(const std::string& name) const { return std::filesystem::exists(out(name) + "/result.json"); }

  /// The folder of the fitted factors, "" before there is one.
  std::string factors() const {
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(cache(), none)) {
      if (entry.path().filename().string().starts_with("factors-")) return entry.path().string();
    }
    return "";
  }
  void forget_factors() const { std::filesystem::remove_all(factors()); }

  /// Whether sums on the way are on disk: of "covariances", "ekfac" (eigenvalues) in the cache, of "scores" in `name`.
  bool has_partial(const std::string& stage, const std::string& name) const {
    const std::string store = stage == "scores" ? out(name) + "/unfinished/scores" : factors();
    return read_bytes(store + "/manifest.json").find("partial." + stage) != std::string::npos;
  }

 private:
  TemporaryFolder folder_;
  std::string model_ = folder_ / "model";
  std::string corpus_;
};

}  // namespace assay
