#include <ATen/ops/full.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>
#include <span>
#include <string_view>

#include "assay/core/machine.h"
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
  const auto passes = label_passes(request.labels, covariance_seed(request.seed), request.model.architecture(),
                                   request.dataset, {moment_seed(request.seed)});
  nn::BatchesInFlight flight(request.model, passes.size());
  walk({.stage = "covariances", .block = partial, .state = sums.state(), .is_followed_by_work = true}, request.dataset,
       request.batches, workspace, progress, flight,
       [&](std::span<const int64_t> rows, nn::BatchesInFlight::Turn& turn) {
         const data::Batch batch = data::make_batch(request.dataset, rows, dtype);
         for (size_t i = 0; i < passes.size(); ++i) {
           nn::stream_gradients(
               request.model, batch, passes[i], group,
               turn.in_turn([&sums, i](const nn::FactoredGradient& gradient) { sums.add(gradient, i == 0); }));
         }
       });
  return sums;
}

/// One side of a layer that is to be decomposed.
struct Side {
  const char* part;
  nn::LayerId layer;
  int64_t size;
};

/// What an interrupted run has not decomposed, largest first. Mean squares that were measured in a basis go with it.
std::vector<Side> missing_sides(const FitRequest& request, const std::vector<nn::LayerId>& group,
                                Workspace& workspace) {
  std::vector<Side> missing;
  std::set<nn::LayerId> with_new_input;
  for (const nn::LayerId layer : group) {
    const LayerShape shape = shape_of(request.model.architecture(), layer);
    const nn::LayerId owner = input_owner(request, layer);
    if (owner == layer && !workspace.get(block_name(request, "input", layer))) {
      missing.push_back({"input", layer, shape.columns});
      with_new_input.insert(layer);
    }
    const bool has_new_output = !workspace.get(block_name(request, "output", layer));
    if (has_new_output) missing.push_back({"output", layer, shape.rows});
    if (has_new_output || with_new_input.contains(owner)) {
      workspace.remove(moments_block(request, "ekfac", layer));
      workspace.remove_all("partial.ekfac");
    }
  }
  std::ranges::stable_sort(missing, std::ranges::greater(), &Side::size);
  return missing;
}

void decompose(const FitRequest& request, const Covariances& sums, const std::vector<nn::LayerId>& group,
               Workspace& workspace, Progress& progress) {
  const std::vector<Side> sides = missing_sides(request, group, workspace);
  const auto side = [&](int64_t i) { return sides[static_cast<size_t>(i)]; };
  progress.begin("eigendecompositions", std::ssize(sides), "matrices");
  const int64_t at_once =
      sides.empty() ? 1 : decomposed_at_once(side(0).size, request.model.dtype(), request.memory_bytes);
  eigen_of_each(
      std::ssize(sides), at_once,
      [&](int64_t i) {
        const bool is_input = side(i).part == std::string_view("input");
        return is_input ? sums.finish_input(side(i).layer) : sums.finish_output(side(i).layer);
      },
      [&](int64_t i, const Eigen& found) {
        workspace.put(block_name(request, side(i).part, side(i).layer),
                      packed(found, sums.positions(side(i).layer), request.dataset.size()));
        progress.advance(1);
      });
  return_freed_memory();  // a decomposition's work is larger than what the walks to come allocate
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
