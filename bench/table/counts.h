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
  /// Rotates both sides, then forms D_i; what the head said is known from the walk for the covariances.
  Cost eigenvalues() const { return products(again() + 2 * covariances_ + weights_); }
  /// `after_a_fit`: in one go with it, so that what the head said is known.
  Cost scores(int64_t queries, bool after_a_fit) const;
  Cost directions() const { return products(down() + weights_ + solves_); }  // of queries: gradients, then (P + λ)⁻¹
  Cost self_influence() const { return products(down() + weights_ + rotations_); }
  Cost index(int64_t rank) const;

 private:
  double down() const { return again() + 2 * head_; }         // no weight gradients
  double again() const { return 2 * weights_ + attention_; }  // over batches of an earlier walk
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
