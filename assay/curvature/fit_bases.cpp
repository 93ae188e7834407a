#include <ATen/ops/full.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "assay/core/plan.h"
#include "assay/curvature/fit_passes.h"
#include "assay/curvature/layer_groups.h"
#include "assay/nn/gradients.h"

namespace assay::curvature {
namespace {

/// The first layer that reads the same input: its block holds the eigenvectors of A for all of them.
nn::LayerId input_owner(const FitRequest& request, nn::LayerId layer) {
  const nn::Architecture& architecture = request.model.architecture();
  for (const nn::LayerId other : request.layers) {
    if (input_name(architecture, other) == input_name(architecture, layer)) return other;
  }
  return layer;
}

std::string block_name(const FitRequest& request, const char* part, nn::LayerId layer) {
  return fmt::format("{}.{}", part, layer_at(request.model.architecture(), layer).name);
}

TensorMap packed(const Eigen& eigen, double positions, int64_t examples) {
  return {{"values", eigen.values},
          {"vectors", eigen.vectors},
          {"positions", at::full({}, positions, at::kDouble)},
          {"examples", at::full({}, examples, at::kLong)}};
}

/// `known`: bases of layers before this one; layers that read the same input hold the same tensors.
std::optional<LayerBasis> stored_basis(const FitRequest& request, nn::LayerId layer,
                                       const std::map<nn::LayerId, LayerBasis>& known, Workspace& workspace) {
  const nn::LayerId owner = input_owner(request, layer);
  const auto stored_input = [&]() -> std::optional<Eigen> {
    if (const auto found = known.find(owner); found != known.end()) return found->second.input;
    const auto input = workspace.get(block_name(request, "input", owner));
    if (!input) return std::nullopt;
    return Eigen{input->at("values"), input->at("vectors")};
  };
  const auto input = stored_input();
  const auto output = workspace.get(block_name(request, "output", layer));
  if (!input || !output) return std::nullopt;
  return LayerBasis{.input = *input,
                    .output = {output->at("values"), output->at("vectors")},
                    .positions = output->at("positions").item<double>(),
                    .examples = output->at("examples").item<int64_t>()};
}

Covariances walk_group(const FitRequest& request, const std::vector<nn::LayerId>& group, const std::string& partial,
                       Workspace& workspace, Progress& progress) {
  const at::ScalarType dtype = request.model.dtype();
  Covariances sums(request.model.architecture(), group, dtype);
  const auto passes =
      label_passes(request.labels, covariance_seed(request.seed), request.model.architecture(), request.dataset);
  walk({.stage = "covariances", .block = partial, .state = sums.state(), .is_followed_by_work = true}, request.dataset,
       request.batches, workspace, progress, [&](std::span<const int64_t> rows) {
         const data::Batch batch = data::make_batch(request.dataset, rows, dtype);
         for (size_t i = 0; i < passes.size(); ++i) {
           nn::stream_gradients(request.model, batch, passes[i], group,
                                [&](const nn::FactoredGradient& gradient) { sums.add(gradient, i == 0); });
         }
       });
  return sums;
}

/// Decomposes what an interrupted run has not. Mean squares that were measured in a basis go with it.
void decompose(const FitRequest& request, const Covariances& sums, const std::vector<nn::LayerId>& group,
               Workspace& workspace, Progress& progress) {
  const int64_t examples = request.dataset.size();
  const auto put_where_missing = [&](const char* part, nn::LayerId layer, const at::Tensor& covariance,
                                     double positions) {
    const std::string block = block_name(request, part, layer);
    if (workspace.get(block)) return false;
    workspace.put(block, packed(eigen_of(covariance), positions, examples));
    return true;
  };
  progress.begin("eigendecompositions", static_cast<int64_t>(group.size()), "layers");
  std::set<nn::LayerId> with_new_input;
  for (const nn::LayerId layer : group) {
    const KroneckerFactors factors = sums.finish(layer);
    const nn::LayerId owner = input_owner(request, layer);
    if (owner == layer && put_where_missing("input", layer, factors.input, factors.positions))
      with_new_input.insert(layer);
    const bool has_new_output = put_where_missing("output", layer, factors.output, factors.positions);
    if (has_new_output || with_new_input.contains(owner)) {
      workspace.remove(moments_block(request, "ekfac", layer));
      workspace.remove_all("partial.ekfac");
    }
    progress.advance(1);
  }
  progress.end();
}

}  // namespace

bool has_bases(const FitRequest& request, const std::set<std::string>& blocks) {
  return std::ranges::all_of(request.layers, [&](nn::LayerId layer) {
    return blocks.contains(block_name(request, "input", input_owner(request, layer))) &&
           blocks.contains(block_name(request, "output", layer));
  });
}

std::map<nn::LayerId, LayerBasis> fit_bases(const FitRequest& request, Workspace& workspace, Progress& progress) {
  std::map<nn::LayerId, LayerBasis> bases;
  const auto groups = layer_groups(Statistics::Covariances, request.model.architecture(), request.layers,
                                   request.model.dtype(), request.memory_bytes);
  for (size_t g = 0; g < groups.size(); ++g) {
    const auto collect = [&] {
      for (const nn::LayerId layer : groups[g]) {
        auto basis = stored_basis(request, layer, bases, workspace);
        if (!basis) return false;
        bases[layer] = std::move(*basis);
      }
      return true;
    };
    if (collect()) {
      progress.note(fmt::format("covariances: reused those of {}", format_counted(std::ssize(groups[g]), "layer")));
      continue;
    }
    const std::string part = fmt::format("covariances.{}.of.{}", g + 1, groups.size());
    const std::string partial = partial_block(part, request.batches);
    decompose(request, walk_group(request, groups[g], partial, workspace, progress), groups[g], workspace, progress);
    collect();
    workspace.remove_all("partial." + part + ".");  // and those of other batches
  }
  return bases;
}

}  // namespace assay::curvature
