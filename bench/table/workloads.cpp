#include "bench/table/workloads.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "assay/core/philox.h"
#include "assay/data/encode.h"
#include "assay/data/tokenizer.h"

namespace assay::bench {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kRandomVocabulary = 50304, kRandomDocuments = 200, kMostQueries = 256;

data::Dataset random_tokens(int64_t count, int64_t length) {
  data::Dataset dataset;
  for (int64_t row = 0; row < count; ++row) {
    data::Example example;
    for (int64_t t = 0; t < length; ++t) {
      const auto index = static_cast<uint64_t>(row * length + t);
      example.tokens.push_back(
          static_cast<int32_t>(random_below(kRandomVocabulary, 1, stream_of("bench.tokens"), index)));
    }
    dataset.examples.push_back(std::move(example));
  }
  data::assign_ids(dataset);
  return dataset;
}

data::Dataset rows_of(const data::Dataset& dataset, int64_t begin, int64_t count) {
  std::vector<int64_t> rows;
  for (int64_t row = begin; row < begin + count; ++row) rows.push_back(row);
  return data::subset(dataset, rows);
}

}  // namespace

std::string Workload::missing() const {
  if (!fs::exists(model)) return fmt::format("{} is absent", model);
  if (!text.empty() && !fs::exists(text)) return fmt::format("{} is absent", text);
  return {};
}

std::vector<Workload> workloads(const std::string& data, const std::string& build, bool is_quick) {
  const std::string stories = data + "/text/tinystories_1000.txt";
  std::vector<Workload> all;
  all.push_back({.name = "S",
                 .title = "stories260K",
                 .model = data + "/models/stories260K",
                 .text = stories,
                 .documents = is_quick ? 200 : 1000,
                 .indexed = is_quick ? 200 : 1000,
                 .questions = {{1}, {10}, {16}},
                 .compared_queries = 10,
                 .runs = is_quick ? 2 : 3});
  all.push_back({.name = "M",
                 .title = "Pythia-70M geometry",
                 .model = build + "/bench/models/pythia_70m_geometry",
                 .context = 512,
                 .documents = is_quick ? 4 : 16,
                 .indexed = is_quick ? 8 : 64,
                 .questions = {{1}, {4}},
                 .compared_queries = 4,
                 .has_plain_pass = false,
                 .runs = is_quick ? 1 : 2});
  all.push_back({.name = "L",
                 .title = is_quick ? "SmolLM2-135M, every fourth block" : "SmolLM2-135M",
                 .model = build + "/models/smollm2",
                 .text = stories,
                 .layers = is_quick ? "blocks.1.*,blocks.5.*,blocks.9.*,blocks.13.*,blocks.17.*,blocks.21.*,blocks.25.*"
                                    : "blocks.*",
                 .documents = is_quick ? 4 : 64,
                 .indexed = is_quick ? 4 : 64,
                 .questions = {{1}, {is_quick ? 4 : 16}},
                 .compared_queries = is_quick ? 4 : 16});
  if (!is_quick) {
    all[0].questions.push_back({256});
    // So many directions do not fit: of M they go through memory in several walks, of L they are compressed first.
    all[1].questions.insert(all[1].questions.end(), {{16}, {256}});
    all[2].questions.push_back({256, "ekfac(rank=16)"});
  }
  return all;
}

data::Dataset Loaded::queries(int64_t count) const {
  return rows_of(pool, pool.size() - count, count);
}

Loaded load(const Workload& workload, const std::string& dtype) {
  Loaded loaded{.checkpoint = nn::load_checkpoint(workload.model, dtype == "bf16" ? at::kBFloat16 : at::kFloat),
                .documents = {},
                .indexed = {},
                .pool = {},
                .layers = {}};
  if (workload.text.empty()) {
    loaded.pool = random_tokens(kRandomDocuments + kMostQueries, workload.context);
  } else {
    const data::Corpus corpus = data::read_corpus(workload.text);
    loaded.pool = data::encode(corpus, data::load_tokenizer(workload.model), {.context = workload.context}).dataset;
  }
  loaded.documents = rows_of(loaded.pool, 0, workload.documents);
  loaded.indexed = rows_of(loaded.pool, 0, workload.indexed);
  loaded.layers = loaded.model().architecture().match_layers(workload.layers);
  return loaded;
}

void make_random_model(const std::string& folder) {
  if (fs::exists(folder + "/config.json")) return;
  const nlohmann::json config{{"architectures", {"GPTNeoXForCausalLM"}},
                              {"model_type", "gpt_neox"},
                              {"vocab_size", kRandomVocabulary},
                              {"hidden_size", 512},
                              {"num_hidden_layers", 6},
                              {"num_attention_heads", 8},
                              {"intermediate_size", 2048},
                              {"max_position_embeddings", 2048},
                              {"rotary_pct", 0.25},
                              {"rotary_emb_base", 10000},
                              {"hidden_act", "gelu"},
                              {"layer_norm_eps", 1e-5},
                              {"initializer_range", 0.02},
                              {"use_parallel_residual", true},
                              {"attention_bias", true},
                              {"tie_word_embeddings", false},
                              {"bos_token_id", 0},
                              {"eos_token_id", 0}};
  nn::save_checkpoint(nn::initialize(nn::make_architecture(config), 0), folder);
}

}  // namespace assay::bench
