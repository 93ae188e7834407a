#include "assay/attribute/directions.h"

#include <ATen/ops/bmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <limits>

#include "assay/core/error.h"
#include "assay/core/philox.h"
#include "assay/core/twin.h"
#include "assay/curvature/layer_shape.h"
#include "assay/data/batch.h"
#include "assay/math/randomized_svd.h"
#include "assay/nn/gradients.h"

namespace assay::attribute {

Directions::Directions(std::map<nn::LayerId, at::Tensor> full) {
  for (auto& [layer, u] : full) {
    pairs_[layer] = {std::move(u), {}};
    layers_.push_back(layer);
  }
}

int64_t Directions::queries() const {
  return pairs_.begin()->second.left.size(0);
}

at::Tensor Directions::at(nn::LayerId layer) const {
  const Pair& pair = pairs_.at(layer);
  return pair.right.defined() ? at::bmm(pair.left, pair.right) : pair.left;
}

at::Tensor Directions::norms() const {
  at::Tensor squares = at::zeros({queries()}, pairs_.begin()->second.left.options());
  for (const nn::LayerId layer : layers_) squares.add_(at(layer).square().sum({1, 2}));
  return squares.sqrt();
}

Directions Directions::solve(const curvature::Curvature& curvature, const curvature::Damping& damping) && {
  for (const nn::LayerId layer : layers_) pairs_[layer] = {curvature.solve(at(layer), layer, damping), {}};
  return std::move(*this);
}

Directions Directions::compress(int64_t rank) && {
  at::Tensor lost = at::zeros({queries()}, at::kDouble), whole = at::zeros({queries()}, at::kDouble);
  for (auto& [layer, pair] : pairs_) {
    const at::Tensor full = at(layer);
    whole.add_(full.to(at::kDouble).square().sum({1, 2}));
    math::LowRank found = math::randomized_svd(full, rank, stream_of("compressed directions"));
    if (ASSAY_TWIN("attribute.lost_of_the_last_layer")) lost.zero_();
    lost.add_(found.lost);
    if (ASSAY_TWIN("attribute.rank_without_singular_values"))
      found.left = found.left.div(found.left.norm(2, /*dim=*/{1}, /*keepdim=*/true).clamp_min(1e-30));
    pair = {std::move(found.left), std::move(found.right)};
  }
  compression_errors_ = lost.div(whole.clamp_min(std::numeric_limits<double>::min())).sqrt();
  return std::move(*this);
}

void Directions::append(const Directions& further) {
  for (auto& [layer, pair] : pairs_) {
    const Pair& more = further.pairs_.at(layer);
    pair.left = at::cat({pair.left, more.left});
    if (pair.right.defined()) pair.right = at::cat({pair.right, more.right});
  }
  if (compression_errors_.defined()) compression_errors_ = at::cat({compression_errors_, further.compression_errors_});
}

Directions query_gradients(const nn::Model& model, const data::Dataset& queries, std::span<const int64_t> rows,
                           const nn::Measurement& measurement, std::span<const nn::LayerId> layers) {
  const auto count = static_cast<int64_t>(rows.size());
  std::map<nn::LayerId, at::Tensor> gradients;
  for (const nn::LayerId layer : layers) {
    const curvature::LayerShape shape = curvature::shape_of(model.architecture(), layer);
    gradients[layer] = at::zeros({count, shape.rows, shape.columns}, model.dtype());
  }
  for (int64_t q = 0; q < count; ++q) {  // one at a time: queries are few, and no padding means no waste
    const data::Batch batch = data::make_batch(queries, rows.subspan(static_cast<size_t>(q), 1), model.dtype());
    const at::Tensor value =
        nn::stream_gradients(model, batch, measurement, layers, [&](const nn::FactoredGradient& gradient) {
          gradients.at(gradient.layer).select(0, q).copy_(gradient.dense().select(0, 0));
        });
    if (!value.isfinite().all().item<bool>()) {
      throw Error(ErrorKind::Numeric, "differentiating query " + std::to_string(rows[static_cast<size_t>(q)] + 1) +
                                          ": its " + measurement.name +
                                          " must be finite, but it is not; check the model with assay evaluate");
    }
  }
  return Directions(std::move(gradients));
}

}  // namespace assay::attribute
