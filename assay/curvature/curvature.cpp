#include "assay/curvature/curvature.h"

#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <utility>

#include "assay/core/error.h"
#include "assay/core/twin.h"

namespace assay::curvature {

bool Curvature::covers(nn::LayerId layer) const {
  return std::ranges::binary_search(layers(), layer);
}

double Curvature::mean_eigenvalue(nn::LayerId layer) const {
  at::Tensor values = eigenvalues(layer).to(at::kDouble);
  if (ASSAY_TWIN("curvature.damping_of_the_first_unit")) values = values.narrow(0, 0, 1);
  return values.mean().item<double>();
}

SpectralFunction Curvature::damped_inverse(nn::LayerId layer, const Damping& damping) const {
  ASSAY_ASSERT(damping.value >= 0);
  const nn::LayerId measured = ASSAY_TWIN("curvature.damping_of_the_first_layer") ? layers().front() : layer;
  const double added = damping.in_layer(mean_eigenvalue(measured));
  if (ASSAY_TWIN("curvature.damping_added_in_place")) eigenvalues(layer).add_(added);
  if (ASSAY_TWIN("curvature.applied_not_inverted")) return [added](const at::Tensor& v) { return v.add(added); };
  return [added](const at::Tensor& values) {
    const at::Tensor damped = values.add(added);
    return damped.reciprocal().masked_fill(damped.le(0), 0);
  };
}

at::Tensor Curvature::apply(const at::Tensor& gradients, nn::LayerId layer, const SpectralFunction& f) const {
  ASSAY_ASSERT(covers(layer));
  const at::Tensor scale = f(eigenvalues(layer).to(at::kDouble)).to(gradients.scalar_type());
  return out_of_eigenbasis(into_eigenbasis(gradients, layer).mul(scale), layer);
}

class Curvature::SpectralInverse final : public DampedInverse {
 public:
  SpectralInverse(const Curvature& curvature, nn::LayerId layer, SpectralFunction f)
      : curvature_(curvature), layer_(layer), f_(std::move(f)) {}

  at::Tensor solve(const at::Tensor& gradients) const override { return curvature_.apply(gradients, layer_, f_); }
  at::Tensor norm(const at::Tensor& gradients) const override {
    const at::Tensor scale = f_(curvature_.eigenvalues(layer_).to(at::kDouble)).to(gradients.scalar_type());
    return curvature_.into_eigenbasis(gradients, layer_).square().mul(scale).sum({1, 2});
  }

 private:
  const Curvature& curvature_;
  nn::LayerId layer_;
  SpectralFunction f_;
};

std::unique_ptr<DampedInverse> Curvature::inverse(nn::LayerId layer, const Damping& damping) const {
  return std::make_unique<SpectralInverse>(*this, layer, damped_inverse(layer, damping));
}

at::Tensor Curvature::solve(const at::Tensor& gradients, nn::LayerId layer, const Damping& damping) const {
  return inverse(layer, damping)->solve(gradients);
}

at::Tensor Curvature::inverse_norm(const nn::FactoredGradient& gradient, const Damping& damping) const {
  const at::Tensor coordinates = into_eigenbasis(gradient);
  at::Tensor scale = damped_inverse(gradient.layer, damping)(eigenvalues(gradient.layer).to(at::kDouble));
  if (ASSAY_TWIN("curvature.solved_on_both_sides")) scale = scale.square();
  return coordinates.square().mul(scale.to(coordinates.scalar_type())).sum({1, 2});
}

at::Tensor Curvature::into_eigenbasis(const nn::FactoredGradient& gradient) const {
  return into_eigenbasis(gradient.dense(), gradient.layer);
}

}  // namespace assay::curvature
