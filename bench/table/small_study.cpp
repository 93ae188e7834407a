#include "bench/table/small_study.h"

#include <fmt/format.h>

#include <filesystem>

#include "assay/attribute/index_build.h"
#include "assay/attribute/logra.h"
#include "studies/ekfac_small_mlp/protocol.h"

namespace assay::bench {
namespace {

/// Scores of an index of the training set, by its rows alone.
at::Tensor scores_by_index(const studies::Seed& seed, const std::string& folder, int64_t rank) {
  std::filesystem::remove_all(folder);
  attribute::IndexedDocuments documents;
  documents.dataset = seed.train;
  attribute::build_index(folder,
                         {.model = seed.model,
                          .documents = documents,
                          .layers = seed.layers,
                          .settings = {.rank_out = rank, .rank_in = rank},
                          .model_hash = "small study"},
                         silent_progress());
  const attribute::GradientIndex index(folder);
  attribute::Inputs inputs = seed.inputs();
  inputs.model_hash = "small study";
  inputs.index = &index;
  const auto method = parse_factory("logra", attribute::method_table(), "method");
  const at::Tensor scores = attribute::make_logra_scorer(method, inputs, silent_progress())
                                ->scan(1, seed.queries.size(), false, {}, silent_progress())
                                .whole.clone();
  std::filesystem::remove_all(folder);
  return scores;
}

}  // namespace

nlohmann::json small_study(const std::string& folder, bool is_quick) {
  studies::Seed seed(1);
  const evaluate::RetrainingBank bank = studies::retrain(seed.problem, seed.seed, is_quick ? 30 : 100, 2);
  nlohmann::json found;
  const auto keep = [&](const std::string& name, const at::Tensor& scores) {
    found[name] = evaluate::linear_datamodeling_score(studies::as_rows(scores), bank).mean;
  };
  for (const char* method : {"ekfac", "ekfac(rank=4)", "kfac", "identity"}) keep(method, seed.scores(method).total);
  const nn::Parameters exact = seed.model.parameters();
  for (const auto& [name, type] : {std::pair{"float32", at::kFloat}, std::pair{"bf16", at::kBFloat16}}) {
    seed.model = seed.model.with(exact.to(type));
    keep(fmt::format("ekfac, {}", name), seed.scores("ekfac").total);
    for (const int64_t rank : {4, 16}) {
      keep(fmt::format("index of rank {}, {}", rank, name), scores_by_index(seed, folder + "/small_study", rank));
    }
  }
  found["retraining"] = evaluate::lds_ceiling(bank);
  return {{"lds", found}};
}

}  // namespace assay::bench
