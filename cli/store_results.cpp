#include "cli/store_results.h"

#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "assay/core/plan.h"
#include "assay/io/tensor.h"

namespace assay::cli {

using nlohmann::ordered_json;

ordered_json store_json(const AttributionInputs& inputs, const Attribution& found, const AttributeOptions& options) {
  const attribute::IndexAbout& about = inputs.index->about();
  ordered_json result{{"path", options.store},
                      {"hash", inputs.index->hash()},
                      {"rows", inputs.index->rows()},
                      {"columns", about.columns()},
                      {"projection", to_string(about.settings.projection)},
                      {"rank_out", about.settings.rank_out},
                      {"rank_in", about.settings.rank_in},
                      {"seed", about.settings.seed},
                      {"curvature", to_string(about.settings.curvature)},
                      {"type", to_string(about.settings.rows)}};
  if (found.store->exact) {
    result["rescored"] = found.store->rescored.size();
    result["rescored_by"] = found.store->exact->canonical();
    result["agreement_questions"] = std::min(found.store->agreement.size(), found.queries.size());
  }
  if (!found.store->groups.empty()) {
    result["layer_groups"] = ordered_json::array();
    for (const attribute::LayerGroup& group : found.store->groups) {
      ordered_json layers = ordered_json::array();
      for (const size_t layer : group.layers) layers.push_back(about.layers[layer].name);
      result["layer_groups"].push_back({{"name", group.name}, {"layers", std::move(layers)}});
    }
  }
  return result;
}

void add_store_findings(ordered_json& entry, const AttributionInputs& inputs, const Attribution& found, size_t query) {
  const StoreFindings& store = *found.store;
  if (query < store.agreement.size()) {
    const double agreement = store.agreement[query];
    entry["index_agreement"] = std::isfinite(agreement) ? ordered_json(agreement) : ordered_json(nullptr);
    entry["index_scale"] = store.scale[query];
  }
  for (size_t g = 0; g < store.groups.size(); ++g) {
    const attribute::RankingEnd& top = store.group_top[g];
    ordered_json rows = ordered_json::array();
    for (int64_t i = 0; i < top.rows.size(1); ++i) {
      const auto row = top.rows[static_cast<int64_t>(query)][i].item<int64_t>();
      rows.push_back({{"row", row},
                      {"document", inputs.text.encoded.document_of[static_cast<size_t>(row)]},
                      {"score", top.scores[static_cast<int64_t>(query)][i].item<double>()}});
    }
    entry["by_layers"][store.groups[g].name] = std::move(rows);
  }
}

void add_store_arrays(io::Arrays& arrays, const Attribution& found) {
  const StoreFindings& store = *found.store;
  const auto add = [&](const char* name, const at::Tensor& values) { arrays[name] = io::from_tensor(values); };
  add("top_rows", store.top.rows);
  add("top_scores", store.top.scores.to(at::kFloat));
  add("bottom_rows", store.bottom.rows);
  add("bottom_scores", store.bottom.scores.to(at::kFloat));
  if (store.exact) add("rescored_rows", at::tensor(at::IntArrayRef(store.rescored), at::kLong));
  if (store.groups.empty()) return;
  std::vector<at::Tensor> rows, scores;
  for (const attribute::RankingEnd& top : store.group_top) {
    rows.push_back(top.rows);
    scores.push_back(top.scores.to(at::kFloat));
  }
  add("by_layers_rows", at::stack(rows));
  add("by_layers_scores", at::stack(scores));
}

report::ProvenanceRow store_row(const AttributionInputs& inputs) {
  const attribute::IndexAbout& about = inputs.index->about();
  return {
      "Index", inputs.index->hash(),
      fmt::format("{} of {} numbers, {} projection of rank {} by {}, {}", format_counted(inputs.index->rows(), "row"),
                  format_count(about.columns()), to_string(about.settings.projection), about.settings.rank_out,
                  about.settings.rank_in, to_string(about.settings.rows))};
}

}  // namespace assay::cli
