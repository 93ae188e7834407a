#include "assay/attribute/factors.h"

#include <fmt/format.h>

#include <optional>

#include "assay/attribute/fit_rows.h"
#include "assay/attribute/walk_batches.h"
#include "assay/core/cache.h"
#include "assay/core/error.h"
#include "assay/nn/head_memory.h"

namespace assay::attribute {
namespace {

// What the curvature is fitted on: the documents themselves where they are not too many, else a copy of those drawn.
class FitData {
 public:
  explicit FitData(const Inputs& inputs) : whole_(inputs.train.dataset) {
    if (const auto rows = fit_rows(whole_, inputs.fit_examples, inputs.seed)) drawn_ = data::subset(whole_, *rows);
  }
  const data::Dataset& dataset() const { return drawn_ ? *drawn_ : whole_; }

 private:
  const data::Dataset& whole_;
  std::optional<data::Dataset> drawn_;
};

curvature::FitRequest request_of(curvature::Labels labels, const Inputs& inputs, const data::Dataset& dataset,
                                 const curvature::Batches& batches) {
  return {.model = inputs.model,
          .dataset = dataset,
          .batches = batches,
          .layers = inputs.layers,
          .labels = labels,
          .seed = inputs.seed,
          .memory_bytes = inputs.memory_bytes};
}

curvature::Labels labels_of(const FactoryCall& method) {
  return curvature::labels_named(method.text("labels"));
}

std::string folder_of(const Inputs& inputs, const std::string& key) {
  return inputs.cache_folder + "/factors-" + key;
}

curvature::Workspace workspace_of(const curvature::FitRequest& request, const Inputs& inputs, Progress& progress) {
  if (inputs.cache_folder.empty()) return {};
  try {
    create_cache(inputs.cache_folder);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::Resource) throw;
    progress.note(fmt::format("factors are not kept: {}", error.what()));
    return {};
  }
  const std::string key = curvature::fit_key(request, inputs.model_hash);
  return curvature::Workspace(folder_of(inputs, key), key, progress);
}

}  // namespace

std::string curvature_family(const FactoryCall& method) {
  return method.name() == "relatif" ? "ekfac" : method.name();
}

curvature::Fitted fitted_curvature(const FactoryCall& method, const Inputs& inputs, Progress& progress) {
  const FitData data(inputs);
  const curvature::Batches batches = walk_batches(inputs.model, data.dataset(), inputs.memory_bytes);
  const curvature::FitRequest request = request_of(labels_of(method), inputs, data.dataset(), batches);
  curvature::Workspace workspace = workspace_of(request, inputs, progress);
  const std::string family = curvature_family(method);
  if (family == "diagonal") return curvature::fit_diagonal(request, workspace, progress);
  if (family == "kfac") return curvature::fit_kfac(request, workspace, progress);
  return curvature::fit_ekfac(request, workspace, progress);
}

CachedFactors cached_factors(const FactoryCall& method, const Inputs& inputs) {
  if (inputs.cache_folder.empty()) return {};
  const FitData data(inputs);
  const curvature::Batches batches;
  const curvature::FitRequest request = request_of(labels_of(method), inputs, data.dataset(), batches);
  const std::string key = curvature::fit_key(request, inputs.model_hash);
  const std::set<std::string> blocks = curvature::Workspace::peek(folder_of(inputs, key), key);
  return {.bases = curvature::has_bases(request, blocks),
          .moments = curvature::has_moments(request, curvature_family(method), blocks)};
}

int64_t walks_of_fit(const FactoryCall& method, const CachedFactors& cached) {
  const std::string family = curvature_family(method);
  return (family != "diagonal" && !cached.bases ? 1 : 0) + (family != "kfac" && !cached.moments ? 1 : 0);
}

int64_t head_memory_bytes(const Inputs& inputs) {
  return inputs.memory_bytes / 4;
}

std::shared_ptr<const nn::Model> remembering_model(const FactoryCall& method, const Inputs& inputs) {
  const bool is_worth_it = nn::HeadMemory::is_worth_it(inputs.model.architecture().facts().vocabulary) &&
                           walks_of_fit(method, cached_factors(method, inputs)) > 0;
  return std::make_shared<const nn::Model>(is_worth_it ? inputs.model.remembering_heads(head_memory_bytes(inputs))
                                                       : inputs.model);
}

Inputs with_model(const Inputs& inputs, const nn::Model& model) {
  return {.model = model,
          .train = inputs.train,
          .queries = inputs.queries,
          .measurement = inputs.measurement,
          .layers = inputs.layers,
          .seed = inputs.seed,
          .memory_bytes = inputs.memory_bytes,
          .model_hash = inputs.model_hash,
          .cache_folder = inputs.cache_folder,
          .fit_examples = inputs.fit_examples,
          .index = inputs.index};
}

std::map<nn::LayerId, curvature::LayerBasis> empirical_bases(const Inputs& inputs, Progress& progress) {
  const FitData data(inputs);
  const curvature::Batches batches = walk_batches(inputs.model, data.dataset(), inputs.memory_bytes);
  const curvature::FitRequest request = request_of(curvature::Labels::Empirical, inputs, data.dataset(), batches);
  curvature::Workspace workspace = workspace_of(request, inputs, progress);
  return curvature::fit_bases(request, workspace, progress);
}

bool has_empirical_bases(const Inputs& inputs) {
  if (inputs.cache_folder.empty()) return false;
  const FitData data(inputs);
  const curvature::Batches batches;
  const curvature::FitRequest request = request_of(curvature::Labels::Empirical, inputs, data.dataset(), batches);
  const std::string key = curvature::fit_key(request, inputs.model_hash);
  return curvature::has_bases(request, curvature::Workspace::peek(folder_of(inputs, key), key));
}

}  // namespace assay::attribute
