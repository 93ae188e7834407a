// Labels drawn from distributions over classes, one a row: the first class at which the cumulative sum passes a uniform
// number of the whole, which is keyed by what the row is, so that neither batches nor threads change a label.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace assay::kernel {

/// One random number a row, keyed by what the row is.
struct DrawKey {
  uint64_t stream, index;
};

/// Shares of the classes, up to a factor of each row.
class Shares {
 public:
  Shares() = default;
  virtual ~Shares() = default;
  Shares(const Shares&) = delete;
  Shares& operator=(const Shares&) = delete;
  virtual int64_t rows() const = 0;
  /// keys: one a row → [rows] int64, drawn at uniform(seed, key). Sums are float64, at least between pieces.
  virtual at::Tensor draw(uint64_t seed, const DrawKey* keys) const = 0;
};

/// Shares that are held: [n,V] of float32, float64 or bf16.
class HeldShares final : public Shares {
 public:
  explicit HeldShares(at::Tensor shares) : shares_(std::move(shares)) {}
  int64_t rows() const override { return shares_.size(0); }
  at::Tensor draw(uint64_t seed, const DrawKey* keys) const override;

 private:
  at::Tensor shares_;
};

/// The first class from `first` on at which the sum, `before` without it, passes `level`; else the last with a share.
template <typename Number>
int64_t class_at(const Number* shares, int64_t first, int64_t classes, double before, double level) {
  int64_t last = first;
  for (int64_t v = first; v < classes; ++v) {
    if (!(shares[v] > Number{0})) continue;
    before += static_cast<double>(shares[v]);
    last = v;
    if (before > level) break;
  }
  return last;
}

/// The piece of the classes, by their sums, in which the cumulative sum passes `uniform` of the whole.
struct DrawnPiece {
  int64_t piece = 0;
  double before = 0, level = 0;  ///< the sum of the pieces before it; what is to be passed
};
DrawnPiece drawn_piece(const std::vector<double>& sums, double uniform);

}  // namespace assay::kernel
