// The last loop of every gradient method: documents stream by once, one forward and one backward pass a batch, all
// queries at once. Raw sums only; each method gives them its sign and scale.
#pragma once

#include "assay/attribute/directions.h"
#include "assay/attribute/scorer.h"

namespace assay::attribute {

struct Walked {
  at::Tensor total;      ///< ⟨u_q, D_i⟩ summed over layers: [Q,N]
  at::Tensor per_token;  ///< [Q,N,T] or undefined
  at::Tensor per_layer;  ///< [L,Q,N] or undefined
  at::Tensor self;       ///< Σ_l ⟨D_i, (P_l + λ)⁻¹ D_i⟩ [N], or undefined
};

/// A curvature to measure the documents' own gradients with.
struct SelfNorm {
  const curvature::Curvature* curvature = nullptr;  ///< null: not measured
  curvature::Damping damping;
};

/// `batches`: rows of the documents (walk_batches.h). `part`: what tells this walk's saved sums from those of other
/// walks with the same workspace; other batches never take them up.
Walked walk_documents(const nn::Model& model, const data::Dataset& documents, const curvature::Batches& batches,
                      const Directions& directions, const Parts& parts, const SelfNorm& self, const std::string& part,
                      curvature::Workspace& workspace, Progress& progress);

}  // namespace assay::attribute
