#include "assay/attribute/directions.h"

#include <ATen/ops/bmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/linalg_svd.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/curvature/layer_shape.h"
#include "assay/data/batch.h"
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
  ASSAY_ASSERT(rank >= 1);
  for (auto& [layer, pair] : pairs_) {
    const at::Tensor full = at(layer);
    const int64_t kept = std::min({rank, full.size(1), full.size(2)});
    const auto [u, values, v] = at::linalg_svd(full, /*full_matrices=*/false);
    const at::Tensor s = ASSAY_TWIN("attribute.rank_without_singular_values") ? at::ones_like(values) : values;
    pair = {u.narrow(2, 0, kept).mul(s.narrow(1, 0, kept).unsqueeze(1)).contiguous(),
            v.narrow(1, 0, kept).contiguous()};
  }
  return std::move(*this);
}

void Directions::append(const Directions& further) {
  for (auto& [layer, pair] : pairs_) {
    const Pair& more = further.pairs_.at(layer);
    pair.left = at::cat({pair.left, more.left});
    if (pair.right.defined()) pair.right = at::cat({pair.right, more.right});
  }
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
