#include "assay/attribute/projected_rows.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>

#include "assay/attribute/walk_batches.h"
#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/nn/batches_in_flight.h"
#include "assay/nn/gradients.h"

namespace assay::attribute {
namespace {

class RowSums {
 public:
  RowSums(curvature::Projection& projection, bool with_sums, int64_t count, at::ScalarType dtype)
      : projection_(projection), with_sums_(with_sums) {
    projected_.rows = at::zeros({count, projection.columns()}, dtype);
    if (!with_sums) return;
    for (const nn::LayerId layer : projection.layers()) {
      const curvature::LayerShape shape = projection.shape(layer);
      projected_.sums.input[layer] = at::zeros({shape.columns, shape.columns}, dtype);
      projected_.sums.output[layer] = at::zeros({shape.rows, shape.rows}, dtype);
    }
  }

  void add(const nn::FactoredGradient& gradient, const at::Tensor& places) {
    at::Tensor z;  // [B,r_o,r_i]
    if (with_sums_) {
      const nn::FactoredGradient pair = projection_.project_pair(gradient);
      z = pair.dense();
      pair.add_input_covariance_to(projected_.sums.input.at(gradient.layer));
      pair.add_output_covariance_to(projected_.sums.output.at(gradient.layer));
      projected_.sums.positions[gradient.layer] += static_cast<double>(gradient.real_positions());
    } else {
      z = projection_.project(gradient);
    }
    const int64_t numbers = z.size(1) * z.size(2);
    projected_.rows.narrow(1, projection_.offset(gradient.layer), numbers).index_add_(0, places, z.flatten(1));
  }

  ProjectedRows& projected() { return projected_; }

 private:
  curvature::Projection& projection_;
  bool with_sums_;
  ProjectedRows projected_;
};

void refuse_infinite(const at::Tensor& values, std::span<const int64_t> rows, const std::string& what, int64_t first) {
  const at::Tensor wrong = values.isfinite().logical_not();
  if (!wrong.any().item<bool>()) return;
  const auto place = static_cast<size_t>(wrong.to(at::kInt).argmax().item<int64_t>());
  throw Error(ErrorKind::Numeric,
              fmt::format("differentiating {} {}: its loss and gradient must be finite, but they are "
                          "not; check the model with assay evaluate",
                          what, first + rows[place]));
}

}  // namespace

ProjectedRows projected_rows(const nn::Model& model, const data::Dataset& dataset, const nn::Measurement& measurement,
                             curvature::Projection& projection, bool with_sums, int64_t memory_bytes,
                             const std::string& what, int64_t first_row,
                             const std::function<void(int64_t tokens)>& after_batch) {
  RowSums sums(projection, with_sums, dataset.size(), model.dtype());
  const auto batches = walk_batches(model, dataset, memory_bytes);
  nn::BatchesInFlight flight(model);
  const auto add_batch = [&](int64_t place, nn::BatchesInFlight::Turn& turn) {
    const std::vector<int64_t>& rows = batches[static_cast<size_t>(place)];
    const data::Batch batch = data::make_batch(dataset, rows, model.dtype());
    const at::Tensor places = ASSAY_TWIN("attribute.rows_in_batch_order")
                                  ? at::arange(batch.size(), at::kLong)
                                  : at::tensor(at::IntArrayRef(rows.data(), rows.size()), at::kLong);
    const at::Tensor values = nn::stream_gradients(
        model, batch, measurement, projection.layers(),
        turn.in_turn([&sums, places](const nn::FactoredGradient& gradient) { sums.add(gradient, places); }));
    refuse_infinite(values, rows, what, first_row);
  };
  int64_t told = 0;  // batches
  const auto tell = [&](int64_t done) {
    for (; told < done; ++told) after_batch(dataset.units(batches[static_cast<size_t>(told)]));
    return true;
  };
  tell(flight.walk(0, std::ssize(batches), add_batch, tell));
  std::vector<int64_t> all(static_cast<size_t>(dataset.size()));
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int64_t>(i);
  refuse_infinite(sums.projected().rows.sum({1}), all, what, first_row);
  return std::move(sums.projected());
}

}  // namespace assay::attribute
