#include "assay/curvature/dense.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/cholesky_solve.h>
#include <ATen/ops/linalg_cholesky_ex.h>
#include <ATen/ops/linalg_solve_triangular.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <limits>
#include <utility>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/curvature/eigenbasis.h"

namespace assay::curvature {
namespace {

at::Tensor flat_rows(const at::Tensor& gradients) {
  const int64_t k = gradients.size(-1) * gradients.size(-2);
  return gradients.to(at::kDouble).reshape({-1, k});
}

// L of the Cholesky decomposition of a matrix with `added` on its diagonal.
at::Tensor damped_cholesky(const at::Tensor& matrix, double added, const DenseBlock& block) {
  at::Tensor damped = matrix.clone();
  damped.diagonal().add_(added);
  const auto [factor, info] = at::linalg_cholesky_ex(damped);
  if (info.item<int>() == 0) return factor;
  throw Error(ErrorKind::Numeric,
              fmt::format("solving with the curvature of \"{}\": damped by {:.3g} it must be positive definite, but "
                          "column {} of {} breaks that; raise the damping",
                          block.name, added, info.item<int>(), matrix.size(0)));
}

class PrimalInverse final : public DampedInverse {
 public:
  explicit PrimalInverse(at::Tensor factor) : factor_(std::move(factor)) {}

  at::Tensor solve(const at::Tensor& gradients) const override {
    const at::Tensor solved = at::cholesky_solve(flat_rows(gradients).t(), factor_).t();
    return solved.reshape(gradients.sizes()).to(gradients.scalar_type());
  }
  at::Tensor norm(const at::Tensor& gradients) const override {
    const at::Tensor half = at::linalg_solve_triangular(factor_, flat_rows(gradients).t(), /*upper=*/false);
    return half.square().sum({0}).to(gradients.scalar_type());
  }

 private:
  at::Tensor factor_;  // [k,k], lower
};

class DualInverse final : public DampedInverse {
 public:
  DualInverse(at::Tensor rows, at::Tensor factor, double added)
      : rows_(std::move(rows)), factor_(std::move(factor)), added_(added) {}

  at::Tensor solve(const at::Tensor& gradients) const override {
    const at::Tensor v = flat_rows(gradients);
    const at::Tensor within = at::cholesky_solve(rows_.matmul(v.t()), factor_).t().matmul(rows_);
    return v.sub(within).div(added_).reshape(gradients.sizes()).to(gradients.scalar_type());
  }
  at::Tensor norm(const at::Tensor& gradients) const override {
    const at::Tensor v = flat_rows(gradients);
    const at::Tensor products = rows_.matmul(v.t());  // [N,B]
    const at::Tensor within = products.mul(at::cholesky_solve(products, factor_)).sum({0});
    return v.square().sum({1}).sub(within).clamp_min(0).div(added_).to(gradients.scalar_type());
  }

 private:
  at::Tensor rows_;    // V [N,k]
  at::Tensor factor_;  // of V Vᵀ + Nλ
  double added_;
};

}  // namespace

DenseCurvature::DenseCurvature(std::string name, std::map<nn::LayerId, DenseBlock> blocks)
    : name_(std::move(name)), blocks_(std::move(blocks)) {
  for (const auto& [layer, each] : blocks_) {
    ASSAY_ASSERT(each.matrix.defined() != each.rows.defined());
    layers_.push_back(layer);
  }
}

double DenseCurvature::mean_eigenvalue(nn::LayerId layer) const {
  const DenseBlock& each = block(layer);
  const auto k = static_cast<double>(each.shape.size());
  if (each.matrix.defined()) return each.matrix.trace().item<double>() / k;
  return each.rows.square().sum().item<double>() / static_cast<double>(each.rows.size(0)) / k;
}

at::Tensor DenseCurvature::matrix(nn::LayerId layer) const {
  const DenseBlock& each = block(layer);
  if (each.matrix.defined()) return each.matrix;
  return each.rows.t().matmul(each.rows).div(static_cast<double>(each.rows.size(0)));
}

at::Tensor DenseCurvature::eigenvalues(nn::LayerId layer) const {
  const LayerShape shape = block(layer).shape;
  const at::Tensor& rows = block(layer).rows;
  at::Tensor values;
  if (rows.defined() && rows.size(0) < shape.size()) {  // those of V Vᵀ/N, and zeros
    const at::Tensor few = eigen_of(rows.matmul(rows.t()).div(static_cast<double>(rows.size(0)))).values;
    values = at::cat({at::zeros({shape.size() - few.numel()}, at::kDouble), few});
  } else {
    values = eigen_of(matrix(layer)).values;
  }
  // What rounding left of a direction that no vector has is none.
  const double rounding = static_cast<double>(shape.size()) * std::numeric_limits<double>::epsilon();
  return values.masked_fill(values.le(rounding * values.max().item<double>()), 0).view({shape.rows, shape.columns});
}

at::Tensor DenseCurvature::diagonal(nn::LayerId layer) const {
  const LayerShape shape = block(layer).shape;
  return matrix(layer).diagonal().reshape({shape.rows, shape.columns});
}

std::unique_ptr<DampedInverse> DenseCurvature::inverse(nn::LayerId layer, const Damping& damping) const {
  const DenseBlock& each = block(layer);
  const double added = damping.in_layer(mean_eigenvalue(layer));
  if (added <= 0) return Curvature::inverse(layer, damping);
  if (each.matrix.defined()) {
    if (ASSAY_TWIN("curvature.dense_damping_in_place")) each.matrix.diagonal().add_(added);
    return std::make_unique<PrimalInverse>(damped_cholesky(each.matrix, added, each));
  }
  const double count = ASSAY_TWIN("curvature.dual_without_the_count") ? 1 : static_cast<double>(each.rows.size(0));
  return std::make_unique<DualInverse>(each.rows, damped_cholesky(each.rows.matmul(each.rows.t()), count * added, each),
                                       added);
}

at::Tensor DenseCurvature::into_eigenbasis(const at::Tensor& gradients, nn::LayerId layer) const {
  const at::Tensor vectors = eigen_of(matrix(layer)).vectors.to(gradients.scalar_type());
  return gradients.flatten(-2).matmul(vectors).view(gradients.sizes());
}

at::Tensor DenseCurvature::out_of_eigenbasis(const at::Tensor& coordinates, nn::LayerId layer) const {
  const at::Tensor vectors = eigen_of(matrix(layer)).vectors.to(coordinates.scalar_type());
  return coordinates.flatten(-2).matmul(vectors.t()).view(coordinates.sizes());
}

}  // namespace assay::curvature
