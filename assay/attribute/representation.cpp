// Similarity of representations: the cosine of the last hidden states, averaged over the positions of each text. What
// the model sees as alike; says nothing about what taught it. One forward pass a document.
#include <ATen/ops/empty.h>

#include <algorithm>

#include "assay/attribute/methods.h"
#include "assay/attribute/walk_batches.h"

namespace assay::attribute {
namespace {

// The hidden state that the last layer reads: [B,T,D].
at::Tensor last_hidden(const nn::Model& model, const data::Batch& batch) {
  const std::string& last_input = model.architecture().layers().back().input;
  const auto& sites = model.architecture().sites();
  if (std::ranges::find(sites, last_input) == sites.end()) return model.run(batch).output.hidden;
  return model.run(batch, nn::Taps{}.record(last_input)).value(last_input);
}

// Unit vectors [N,D]; zero stays zero.
at::Tensor representations(const Inputs& inputs, const data::Dataset& dataset, Progress& progress) {
  const nn::Model& model = inputs.model;
  at::Tensor result;
  progress.begin("representations", dataset.size(), "documents");
  for (const auto& rows : walk_batches(model, dataset, inputs.memory_bytes)) {
    const data::Batch batch = data::make_batch(dataset, rows, model.dtype());
    const at::Tensor hidden = last_hidden(model, batch);
    const at::Tensor weights = batch.mask.unsqueeze(2).to(hidden.scalar_type());
    const at::Tensor mean = hidden.mul(weights).sum(1).div(weights.sum(1).clamp_min(1));
    const at::Tensor norm = mean.norm(2, {1}, /*keepdim=*/true);
    if (!result.defined()) result = at::empty({dataset.size(), mean.size(1)}, mean.options());
    for (size_t b = 0; b < rows.size(); ++b) {
      const auto place = static_cast<int64_t>(b);
      result.select(0, rows[b]).copy_(mean.select(0, place).div(norm.select(0, place).clamp_min(1e-30)));
    }
    progress.advance(batch.size());
  }
  progress.end();
  return result;
}

class RepresentationScorer final : public Scorer {
 public:
  RepresentationScorer(const Inputs& inputs, Progress& progress)
      : inputs_(inputs), queries_(representations(inputs, inputs.queries.dataset, progress)) {}

  Meaning meaning() const override {
    return {.title = "Similarity of representations", .unit = "cosine", .is_signed = true};
  }

  Scores score(const Documents& documents, const Parts& parts, curvature::Workspace&,
               Progress& progress) const override {
    if (parts.any()) refuse_parts("representation");
    return {.total = queries_.matmul(representations(inputs_, documents.dataset, progress).t())};
  }

 private:
  Inputs inputs_;
  at::Tensor queries_;  // [Q,D]
};

}  // namespace

std::unique_ptr<Scorer> make_representation(const FactoryCall&, const Inputs& inputs, Progress& progress) {
  return std::make_unique<RepresentationScorer>(inputs, progress);
}

}  // namespace assay::attribute
