// The operations that no way of computing a stage avoids, counted from shapes over the real positions of the documents
// (docs/performance.md derives them). Two for a multiply-add.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "assay/core/plan.h"
#include "assay/data/dataset.h"
#include "assay/nn/architecture.h"

namespace assay::bench {

class Counts {
 public:
  Counts(const nn::Architecture& architecture, std::span<const nn::LayerId> layers, const data::Dataset& documents,
         const std::string& dtype);

  Cost bare() const { return products(3 * weights_ + 3 * head_ + attention_); }
  Cost covariances() const { return products(down() + covariances_); }
  /// With vectors, by QR: Golub and Van Loan.
  Cost eigendecompositions() const { return {.flops = 9 * cubes_fp32_, .flops_fp64 = 9 * cubes_fp64_}; }
  Cost eigenvalues() const { return products(down() + 2 * covariances_ + weights_); }  // rotate both sides, then D_i
  Cost scores(int64_t queries) const;
  Cost directions() const { return products(down() + weights_ + solves_); }  // of queries: gradients, then (P + λ)⁻¹
  Cost self_influence() const { return products(down() + weights_ + rotations_); }
  Cost index(int64_t rank) const;

 private:
  double down() const { return 2 * weights_ + 2 * head_ + attention_; }  // no weight gradients
  Cost products(double operations) const;

  struct Shape {
    double rows = 0, columns = 0;
    bool reads_new_input = true;
  };
  bool is_bf16_;
  std::vector<Shape> shapes_;
  double documents_ = 0, positions_ = 0;
  double cubes_fp32_ = 0, cubes_fp64_ = 0;  // of what is decomposed in either
  double weights_ = 0, covariances_ = 0, head_ = 0, attention_ = 0, rotations_ = 0, solves_ = 0;
};

}  // namespace assay::bench
