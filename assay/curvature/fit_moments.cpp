#include <fmt/format.h>

#include <algorithm>

#include "assay/core/plan.h"
#include "assay/curvature/fit_passes.h"
#include "assay/curvature/layer_groups.h"
#include "assay/curvature/second_moments.h"
#include "assay/nn/gradients.h"

namespace assay::curvature {
namespace {

SecondMoments walk_group(const FitRequest& request, std::map<nn::LayerId, FactoredBlock> bases,
                         const std::string& stage, const std::string& partial, const std::vector<nn::LayerId>& group,
                         Workspace& workspace, Progress& progress) {
  const at::ScalarType dtype = request.model.dtype();
  SecondMoments sums(request.model.architecture(), std::move(bases), dtype);
  const auto passes =
      label_passes(request.labels, moment_seed(request.seed), request.model.architecture(), request.dataset);
  nn::BatchesInFlight flight(request.model, passes.size());
  walk({stage, partial, sums.state()}, request.dataset, request.batches, workspace, progress, flight,
       [&](std::span<const int64_t> rows, nn::BatchesInFlight::Turn& turn) {
         const data::Batch batch = data::make_batch(request.dataset, rows, dtype);
         turn.once([&sums, examples = batch.size()] { sums.count(examples); });
         for (const nn::Measurement& labels : passes) {
           nn::stream_gradients(request.model, batch, labels, group,
                                turn.in_turn([&sums](const nn::FactoredGradient& gradient) { sums.add(gradient); }));
         }
       });
  return sums;
}

}  // namespace

std::string moments_block(const FitRequest& request, const std::string& kind, nn::LayerId layer) {
  return fmt::format("{}.{}", kind, layer_at(request.model.architecture(), layer).name);
}

bool has_moments(const FitRequest& request, const std::string& kind, const std::set<std::string>& blocks) {
  return std::ranges::all_of(request.layers,
                             [&](nn::LayerId layer) { return blocks.contains(moments_block(request, kind, layer)); });
}

std::map<nn::LayerId, at::Tensor> fit_moments(const FitRequest& request,
                                              const std::map<nn::LayerId, FactoredBlock>& bases,
                                              const std::string& kind, Workspace& workspace, Progress& progress) {
  const nn::Architecture& architecture = request.model.architecture();
  const bool is_rotated = !bases.empty() && bases.begin()->second.output_basis.defined();
  const auto groups = layer_groups(is_rotated ? Statistics::RotatedMoments : Statistics::Moments, architecture,
                                   request.layers, request.model.dtype(), request.memory_bytes);
  std::map<nn::LayerId, at::Tensor> moments;
  for (size_t g = 0; g < groups.size(); ++g) {
    const auto collect = [&] {
      for (const nn::LayerId layer : groups[g]) {
        const auto stored = workspace.get(moments_block(request, kind, layer));
        if (!stored) return false;
        moments[layer] = stored->at("eigenvalues");
      }
      return true;
    };
    if (collect()) {
      progress.note(fmt::format("eigenvalues: reused those of {}", format_counted(std::ssize(groups[g]), "layer")));
      continue;
    }
    std::map<nn::LayerId, FactoredBlock> of_group;
    for (const nn::LayerId layer : groups[g]) of_group[layer] = bases.at(layer);
    const std::string part = fmt::format("{}.{}.of.{}", kind, g + 1, groups.size());
    const std::string partial = partial_block(part, request.batches);
    const SecondMoments sums =
        walk_group(request, std::move(of_group), "eigenvalues", partial, groups[g], workspace, progress);
    for (const nn::LayerId layer : groups[g])
      workspace.put(moments_block(request, kind, layer), {{"eigenvalues", sums.finish(layer)}});
    collect();
    workspace.remove_all("partial." + part + ".");  // and those of other batches
  }
  return moments;
}

}  // namespace assay::curvature
