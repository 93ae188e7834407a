// The three workloads of the table: which model reads which documents, at two sizes.
//
//   S  stories260K, stories of up to 256 tokens              passes between the products rule
//   M  the geometry of Pythia-70M with random weights, 512   wide products, large eigendecompositions
//   L  SmolLM2-135M, stories of up to 256 tokens             a real model, five hundred times S
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "assay/data/dataset.h"
#include "assay/nn/checkpoint.h"

namespace assay::bench {

/// The types that every stage is measured in. One that the engine cannot run is left out, by name.
inline constexpr std::array<const char*, 2> kDtypes{"fp32", "bf16"};
inline constexpr std::array<int64_t, 2> kIndexRanks{16, 64};

/// So many queries scored by a method at once.
struct Questions {
  int64_t count = 1;
  std::string method = "ekfac";
};

struct Workload {
  std::string name, title;          ///< "S", "stories260K"
  std::string model;                ///< folder
  std::string text = {};            ///< of the corpus; empty: random tokens
  std::string layers = "blocks.*";  ///< tracked
  int64_t context = 256;
  int64_t documents = 0;  ///< for curvature and scores
  int64_t indexed = 0;    ///< for an index
  std::vector<Questions> questions = {};
  int64_t compared_queries = 0;  ///< as many as the peers' scripts score; also those whose order is compared
  bool has_plain_pass = true;    ///< a pass written plainly on ATen operators exists for the family
  int runs = 1;

  /// Why it cannot run here; empty where it can.
  std::string missing() const;
};

/// `data`: the folder of test data, `build`: where models are made.
std::vector<Workload> workloads(const std::string& data, const std::string& build, bool is_quick);

struct Loaded {
  nn::Checkpoint checkpoint;
  data::Dataset documents, indexed;
  data::Dataset pool;  ///< queries are its last
  std::vector<nn::LayerId> layers;

  const nn::Model& model() const { return checkpoint.model; }
  data::Dataset queries(int64_t count) const;
};

/// dtype: "fp32" or "bf16".
Loaded load(const Workload& workload, const std::string& dtype);

/// Writes the model of workload M where it is not there yet: fresh weights from seed 0.
void make_random_model(const std::string& folder);

}  // namespace assay::bench
