#include "assay/attribute/score_walk.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/curvature/fit.h"
#include "assay/nn/gradients.h"

namespace assay::attribute {
namespace {

// The sums of one walk, each with a column for every document.
class Sums {
 public:
  Sums(const nn::Model& model, const data::Dataset& documents, const Directions& directions, const Parts& parts,
       const SelfNorm& self)
      : directions_(directions), self_(self) {
    const int64_t queries = directions.queries(), count = documents.size();
    const auto layers = static_cast<int64_t>(directions.layers().size());
    const int64_t positions = std::max<int64_t>(1, documents.longest() - 1);
    const at::ScalarType dtype = model.dtype();
    walked_.total = at::zeros({queries, count}, dtype);
    if (parts.per_token) walked_.per_token = at::zeros({queries, count, positions}, dtype);
    if (parts.per_layer) walked_.per_layer = at::zeros({layers, queries, count}, dtype);
    if (self.curvature != nullptr) walked_.self = at::zeros({count}, dtype);
  }

  /// One layer of one batch. columns: [B] places of the batch's documents; positions: T of the batch.
  void add(const nn::FactoredGradient& gradient, const at::Tensor& columns, int64_t positions) {
    const at::Tensor u = directions_.at(gradient.layer);
    at::Tensor scores;  // [Q,B]
    if (walked_.per_token.defined()) {
      const at::Tensor at_tokens = gradient.dot_per_token(u);
      scores = at_tokens.sum(2);
      // A layer that ran several times has its calls side by side along the positions.
      for (int64_t call = 0; call < at_tokens.size(2); call += positions) {
        walked_.per_token.narrow(2, 0, positions).index_add_(1, columns, at_tokens.narrow(2, call, positions));
      }
    } else {
      scores = gradient.dot(u);
    }
    walked_.total.index_add_(1, columns, scores);
    if (walked_.per_layer.defined()) {
      const auto place = std::ranges::lower_bound(directions_.layers(), gradient.layer) - directions_.layers().begin();
      walked_.per_layer.select(0, place).index_add_(1, columns, scores);
    }
    if (walked_.self.defined()) {
      walked_.self.index_add_(0, columns, self_.curvature->inverse_norm(gradient, self_.damping));
    }
  }

  curvature::TensorMap state() const {
    curvature::TensorMap state{{"total", walked_.total}};
    if (walked_.per_token.defined()) state["per_token"] = walked_.per_token;
    if (walked_.per_layer.defined()) state["per_layer"] = walked_.per_layer;
    if (walked_.self.defined()) state["self"] = walked_.self;
    return state;
  }
  const Walked& walked() const { return walked_; }

 private:
  const Directions& directions_;
  SelfNorm self_;
  Walked walked_;
};

void refuse_not_finite(const at::Tensor& losses, std::span<const int64_t> rows) {
  const at::Tensor wrong = losses.isfinite().logical_not();
  if (!wrong.any().item<bool>()) return;
  const auto place = static_cast<size_t>(wrong.to(at::kInt).argmax().item<int64_t>());
  throw Error(ErrorKind::Numeric, "scoring document " + std::to_string(rows[place]) +
                                      ": its loss must be finite, but it is not; check the model with assay evaluate");
}

}  // namespace

Walked walk_documents(const nn::Model& model, const data::Dataset& documents, const curvature::Batches& batches,
                      const Directions& directions, const Parts& parts, const SelfNorm& self, const std::string& part,
                      curvature::Workspace& workspace, Progress& progress) {
  Sums sums(model, documents, directions, parts, self);
  const nn::Measurement loss =
      ASSAY_TWIN("attribute.documents_by_sampled_labels") ? nn::sampled_label_loss(0) : nn::loss();
  const curvature::Pass pass{"scores", curvature::partial_block("scores." + part, batches), sums.state()};
  nn::BatchesInFlight flight(model);
  const auto add_batch = [&](std::span<const int64_t> rows, nn::BatchesInFlight::Turn& turn) {
    const data::Batch batch = data::make_batch(documents, rows, model.dtype());
    const at::Tensor columns = ASSAY_TWIN("attribute.columns_in_batch_order")
                                   ? at::arange(batch.size(), at::kLong)
                                   : at::tensor(at::IntArrayRef(rows.data(), rows.size()), at::kLong);
    const at::Tensor losses = nn::stream_gradients(
        model, batch, loss, directions.layers(),
        turn.in_turn([&sums, columns, positions = batch.positions()](const nn::FactoredGradient& gradient) {
          sums.add(gradient, columns, positions);
        }));
    refuse_not_finite(losses, rows);
  };
  curvature::walk(pass, documents, batches, workspace, progress, flight, add_batch);
  return sums.walked();
}

}  // namespace assay::attribute
