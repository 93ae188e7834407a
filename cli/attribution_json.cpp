#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "assay/attribute/stability.h"
#include "assay/core/hash.h"
#include "assay/evaluate/removal.h"
#include "assay/report/escape.h"
#include "assay/report/support.h"
#include "assay/report/terminal.h"
#include "cli/attribution_sums.h"
#include "cli/attribution_view.h"
#include "cli/result.h"
#include "cli/store_results.h"

namespace assay::cli {
namespace {

using nlohmann::ordered_json;

constexpr size_t kOpponentsInTable = 5;

ordered_json finite_or_null(double value) {
  return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr);
}

ordered_json document_json(const AttributionInputs& inputs, const Attribution& found, size_t query, int64_t row) {
  const int64_t place = inputs.text.encoded.document_of[static_cast<size_t>(row)];
  return {{"row", row},
          {"document", place},
          {"id", hex64(inputs.dataset().id(row))},
          {"source", inputs.source(row)},
          {"score", found.apart.total[static_cast<int64_t>(query)][row].item<double>()}};
}

ordered_json curvature_json(const attribute::CurvatureFacts& facts) {
  ordered_json result{{"layers", ordered_json::array()}};
  for (const curvature::LayerSummary& layer : facts.layers) {
    result["layers"].push_back({{"name", layer.name},
                                {"inputs", layer.inputs},
                                {"input_rank", layer.input_rank},
                                {"input_stable_rank", layer.input_stable_rank},
                                {"outputs", layer.outputs},
                                {"output_rank", layer.output_rank},
                                {"output_stable_rank", layer.output_stable_rank}});
  }
  if (facts.spectrum) {
    result["spectrum"] = {{"of", "log10 of eigenvalue over damping"},
                          {"low", curvature::Spectrum::kLow},
                          {"step", curvature::Spectrum::kStep},
                          {"directions", facts.spectrum->directions},
                          {"without_curvature", facts.spectrum->without_curvature},
                          {"below_damping", facts.spectrum->below_damping},
                          {"total", facts.spectrum->total}};
  }
  return result;
}

ordered_json trust_json(const AttributionInputs& inputs, const train::TailPatchComparison& trust) {
  ordered_json result{{"check", "tail-patch"},
                      {"top_mean", trust.top_mean},
                      {"random_mean", trust.random_mean},
                      {"difference", finite_or_null(trust.difference)},
                      {"interval", {finite_or_null(trust.low), finite_or_null(trust.high)}},
                      {"t", finite_or_null(trust.welch_t)},
                      {"top", ordered_json::array()},
                      {"random", ordered_json::array()}};
  const auto step_json = [&](const train::TailPatchDocument& step) {
    return ordered_json{{"row", step.row},
                        {"document", inputs.text.encoded.document_of[static_cast<size_t>(step.row)]},
                        {"predicted", step.predicted},
                        {"measured", step.measured},
                        {"own_fall", step.own_fall},
                        {"reached", step.reached}};
  };
  for (const auto& document : trust.top) result["top"].push_back(step_json(document));
  for (const auto& document : trust.random) result["random"].push_back(step_json(document));
  return result;
}

/// The strongest documents for a question, then those most against it.
std::string documents_table(const AttributionInputs& inputs, const Attribution& found, size_t query, double factor,
                            const std::string& unit) {
  const attribute::Shown& shown = found.queries[query].shown;
  if (shown.top.empty() && shown.bottom.empty()) return "No document has a score other than zero.\n";
  const at::Tensor row = found.apart.total[static_cast<int64_t>(query)].to(at::kDouble).contiguous();
  const std::vector<double> scores(row.const_data_ptr<double>(), row.const_data_ptr<double>() + row.numel());
  std::vector<report::RankedDocument> ranked;
  const auto add = [&](int64_t document, int rank) {
    const double score = scores[static_cast<size_t>(document)] * factor;
    ranked.push_back({.rank = rank,
                      .score = fmt::format("{:+.3g}", score),
                      .signed_score = score,
                      .percentile = report::percentile_of(scores, document),
                      .index = document,
                      .text = found.texts.at(document),
                      .label = inputs.label(document)});
  };
  for (size_t i = 0; i < shown.top.size(); ++i) add(shown.top[i], static_cast<int>(i) + 1);
  const size_t against = std::min<size_t>(shown.bottom.size(), kOpponentsInTable);
  for (size_t i = against; i-- > 0;) add(shown.bottom[i], static_cast<int>(row.numel() - static_cast<int64_t>(i)));
  const report::TerminalStyle style = report::terminal_style(STDOUT_FILENO);
  return (shown.top.empty() ? "No document supports it; these speak against it most:\n" : "") +
         report::ranking_table(ranked, unit, style);
}

/// What a training step did to a question, beside its table.
std::string trust_line(const AttributionInputs& inputs, const train::TailPatchComparison& trust) {
  if (!std::isfinite(trust.difference)) return "";
  return fmt::format(
      "Trust: one training step on a top document changes the {} by {:+.3g}, on a random one by {:+.3g}{} (difference "
      "{:+.3g}, 95 % interval {:+.3g} to {:+.3g}).\n",
      inputs.measurement.name, trust.top_mean, trust.random_mean,
      inputs.measurement.less_is_better ? ", + lowering it" : "", trust.difference, trust.low, trust.high);
}

/// "Question 2 of 3: the cat → sat", where there are several.
std::string question_heading(const AttributionInputs& inputs, size_t query) {
  if (inputs.queries.size() == 1) return "";
  const data::QueryText& text = inputs.queries[query].text;
  return fmt::format("{}Question {} of {}: {} →{}{}\n", query == 0 ? "" : "\n", query + 1, inputs.queries.size(),
                     report::visible(text.prompt, report::Breaks::Show), text.completion.starts_with(' ') ? "" : " ",
                     report::visible(text.completion, report::Breaks::Show));
}

}  // namespace

int64_t training_documents(const AttributionInputs& inputs, const AttributeOptions& options) {
  return options.train_size > 0 ? options.train_size : inputs.corpus().encoded.dataset.size();
}

std::optional<double> nats_per_raw(const AttributionInputs& inputs, const Attribution& found,
                                   const AttributeOptions& options) {
  if (!found.meaning.is_counterfactual) return std::nullopt;
  return evaluate::nats_per_raw(training_documents(inputs, options), std::ssize(inputs.layers));
}

ordered_json attribution_json(const AttributionInputs& inputs, const Attribution& found,
                              const AttributeOptions& options, const Session& session) {
  ordered_json result = result_head(session.invocation);
  result["model"] = {{"path", inputs.checkpoint.path}, {"hash", inputs.checkpoint.hash}};
  result["data"] = corpus_json(inputs.corpus());
  if (inputs.whole) {
    result["filter"] = {{"name", options.filter},
                        {"scored", inputs.dataset().size()},
                        {"share", inputs.filtered.share()},
                        {"hash", inputs.dataset().content_hash()}};
  }
  result["method"] = inputs.method.canonical();
  if (found.store) result["store"] = store_json(inputs, found, options);
  result["measure"] = inputs.measurement.name;
  result["sign"] = found.meaning.is_closeness          ? "none: the higher, the nearer to the question"
                   : inputs.measurement.less_is_better ? "positive: the document lowers the loss"
                                                       : "positive: the document raises the measurement";
  result["unit"] = found.meaning.unit;
  if (const auto nats = nats_per_raw(inputs, found, options)) {
    result["nats_per_raw"] = *nats;
    result["train_size"] = training_documents(inputs, options);
  }
  result["layers"] = ordered_json::array();
  for (const nn::LayerId layer : inputs.layers) {
    result["layers"].push_back(inputs.checkpoint.model.architecture().layers()[static_cast<size_t>(layer)].name);
  }
  result["parameters_not_covered"] = inputs.not_covered;
  if (found.curvature) result["curvature"] = curvature_json(*found.curvature);
  result["warnings"] = found.warnings;
  if (!inputs.groups.names.empty()) result["groups"] = inputs.groups.names;
  const std::vector<SummedRanking> rankings = summed_rankings(inputs, found, options);
  if (!rankings.empty()) result["sums"] = summed_json(inputs, found, rankings);
  if (!found.stability.empty()) result["label_stability"] = finite_or_null(attribute::mean_stability(found.stability));
  result["queries"] = ordered_json::array();
  for (size_t q = 0; q < inputs.queries.size(); ++q) {
    const data::Query& query = inputs.queries[q];
    ordered_json entry{{"prompt", query.text.prompt},
                       {"completion", query.text.completion},
                       {"boundary_token_shared", query.boundary_token_shared}};
    if (inputs.whole) entry["filtered"] = inputs.filtered.of_each[q];
    if (found.apart.rank_errors.defined())
      entry["rank_error"] = found.apart.rank_errors[static_cast<int64_t>(q)].item<double>();
    if (q < found.stability.size()) entry["label_stability"] = finite_or_null(found.stability[q]);
    if (q < found.queries.size()) {
      entry["top"] = ordered_json::array();
      entry["bottom"] = ordered_json::array();
      for (const int64_t row : found.queries[q].shown.top) entry["top"].push_back(document_json(inputs, found, q, row));
      for (const int64_t row : found.queries[q].shown.bottom)
        entry["bottom"].push_back(document_json(inputs, found, q, row));
      if (found.queries[q].trust) entry["trust"] = trust_json(inputs, *found.queries[q].trust);
      if (found.store) add_store_findings(entry, inputs, found, q);
    }
    result["queries"].push_back(std::move(entry));
  }
  return result;
}

std::string attribution_table(const AttributionInputs& inputs, const Attribution& found,
                              const AttributeOptions& options) {
  const auto nats = nats_per_raw(inputs, found, options);
  const std::string unit = nats ? "nats" : found.meaning.unit;
  std::string table = summed_table(inputs, found, summed_rankings(inputs, found, options), nats.value_or(1), unit);
  const bool has_trust = std::ranges::any_of(found.queries, [](const QueryFindings& findings) {
    return findings.trust && std::isfinite(findings.trust->difference);
  });
  if (!table.empty()) table += "\n";
  if (options.grouping == Grouping::None || options.grouping == Grouping::Documents) {
    for (size_t q = 0; q < found.queries.size(); ++q) {
      table += question_heading(inputs, q) + documents_table(inputs, found, q, nats.value_or(1), unit);
      if (found.queries[q].trust) table += trust_line(inputs, *found.queries[q].trust);
    }
    if (const size_t others = inputs.queries.size() - found.queries.size(); others > 0) {
      table += fmt::format("\nThe other {} scored, too: {}.\n",
                           others == 1 ? "question is" : fmt::format("{} questions are", others),
                           options.common.out.empty() ? "--out keeps their scores"
                           : found.store              ? "the ends of their rankings are in scores.safetensors"
                                                      : "their scores are in scores.safetensors");
      if (found.store && found.store->exact)
        table += fmt::format("How far the index and EK-FAC agree was measured on the first {} alone.\n",
                             found.queries.size());
    }
  } else {  // their sums stand above; the check is of each question apart
    for (size_t q = 0; q < found.queries.size(); ++q)
      if (found.queries[q].trust) table += question_heading(inputs, q) + trust_line(inputs, *found.queries[q].trust);
  }
  if (nats) {
    table += fmt::format(
        "\nnats: the change of the {}{} that one document is worth among {}, to first order, as the mean over {}.\n",
        inputs.measurement.name, inputs.measurement.less_is_better ? ", + lowering it," : "",
        format_counted(training_documents(inputs, options), "training document"),
        format_counted(std::ssize(inputs.layers), "layer"));
  }
  for (const std::string& warning : found.warnings) table += "\nNote: " + warning + "\n";
  if (has_trust) {
    table += "\nThe trust check is a small step: it tests the gradient, not the removal.\n";
  } else if (options.trust_check) {
    table += "\nTrust: not checked, since too few documents are left to compare with.\n";
  }
  if (const double stability = attribute::mean_stability(found.stability); std::isfinite(stability)) {
    table += fmt::format(
        "\nStability: with other sampled labels the scores agree by a Spearman correlation of {:.2f}.\n", stability);
  }
  return table;
}

}  // namespace assay::cli
