// The curvature of a gradient index, from its own rows: sums over blocks as they come, and what is made of them in the
// end. Merging is adding, in the order of the blocks.
#pragma once

#include <map>
#include <vector>

#include "assay/attribute/gradient_index.h"
#include "assay/attribute/projected_rows.h"
#include "assay/curvature/covariance.h"

namespace assay::attribute {

/// Σ over rows of vec(Z) vec(Z)ᵀ, for some layers: [k,k] each, upper triangle.
class RawSums {
 public:
  RawSums(const IndexAbout& about, std::vector<size_t> layers, at::ScalarType dtype);
  void add(const at::Tensor& rows);  ///< [n,K]
  io::Arrays finish(size_t layer) const;
  const std::vector<size_t>& layers() const { return layers_; }

 private:
  const IndexAbout& about_;
  std::vector<size_t> layers_;
  std::map<size_t, at::Tensor> sums_;
};

/// Layers whose raw sums are kept for so many rows: those with no more dimensions.
std::vector<size_t> layers_with_sums(const IndexAbout& about, int64_t rows);
/// Cut into groups whose sums fit into `bytes` together; at least one layer each.
std::vector<std::vector<size_t>> sum_groups(const IndexAbout& about, const std::vector<size_t>& layers,
                                            at::ScalarType dtype, int64_t bytes);

/// A block's pair sums as arrays of it, and back.
void put_pair_sums(io::Arrays& arrays, const PairSums& sums, const IndexAbout& about,
                   std::span<const nn::LayerId> layers);

/// The Kronecker basis of one layer from the blocks' sums, over `rows` examples.
curvature::LayerBasis pair_basis(const IndexAbout& about, size_t layer, const std::vector<io::Arrays>& blocks,
                                 int64_t rows);

/// Σ over rows of (Q_Sᵀ Z Q_A)² for one layer's rows [n,k]: [r_o,r_i].
at::Tensor rotated_squares(const at::Tensor& rows, const curvature::LayerBasis& basis, const IndexAbout::Layer& layer);

}  // namespace assay::attribute
