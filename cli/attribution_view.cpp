#include "cli/attribution_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "assay/attribute/methods_options.h"
#include "assay/attribute/stability.h"
#include "assay/core/hash.h"
#include "assay/core/machine.h"
#include "assay/core/version.h"
#include "assay/math/bootstrap.h"
#include "cli/attribution_sums.h"
#include "cli/page_facts.h"
#include "cli/result.h"
#include "cli/store_results.h"

namespace assay::cli {
namespace {

report::ModelFacts model_facts(const AttributionInputs& inputs, const AttributeOptions& options) {
  const nn::Architecture& architecture = inputs.checkpoint.model.architecture();
  const nn::Facts facts = architecture.facts();
  return {.name = std::filesystem::path(inputs.checkpoint.path).lexically_normal().filename().string(),
          .family = architecture.family(),
          .blocks = static_cast<int>(facts.blocks),
          .width = static_cast<int>(facts.width),
          .heads = static_cast<int>(facts.heads),
          .kv_heads = static_cast<int>(facts.key_value_heads),
          .vocabulary = static_cast<int>(facts.vocabulary),
          .parameters = inputs.checkpoint.model.parameters().count(),
          .dtype = to_string(options.common.precision)};
}

/// Tokens before the text's own: BOS, where it was put.
size_t first_own_token(const AttributionInputs& inputs) {
  return inputs.text.encoded.adds_bos ? 1 : 0;
}

std::vector<report::QueryToken> query_tokens(const AttributionInputs& inputs, size_t q, const QueryFindings& findings) {
  std::vector<report::QueryToken> tokens;
  const data::Example& example = inputs.queries[q].example;
  for (size_t t = first_own_token(inputs); t < example.tokens.size(); ++t) {
    const attribute::TokenReading& reading = findings.reading[t];
    report::QueryToken token{.text = inputs.tokenizer.token_text(reading.id), .logprob_nats = {}, .alternatives = {}};
    if (t > 0) token.logprob_nats = reading.log_probability;
    if (static_cast<int64_t>(t) >= example.first_counted) {
      for (const auto& each : reading.alternatives) {
        token.alternatives.push_back({inputs.tokenizer.token_text(each.id), each.probability});
      }
    }
    tokens.push_back(std::move(token));
  }
  return tokens;
}

report::ScoredDocument scored_document(const AttributionInputs& inputs, const attribute::Shown& shown, size_t place,
                                       int64_t row) {
  const data::ExampleView example = inputs.dataset().examples[static_cast<size_t>(row)];
  report::ScoredDocument scored{
      .index = row, .id = hex64(example.id), .source = inputs.source(row), .tokens = {}, .token_scores = {}};
  scored.label = inputs.label(row);
  for (size_t t = first_own_token(inputs); t < example.tokens.size(); ++t) {
    scored.tokens.push_back(inputs.tokenizer.token_text(example.tokens[t]));
    if (!shown.token_scores.empty()) scored.token_scores.push_back(shown.token_scores[place][t]);
  }
  return scored;
}

/// "blocks.3.mlp.up" → block 3, group "MLP", matrix "up"; nothing for a layer outside the blocks.
struct LayerPlace {
  size_t block = 0;
  std::string group, matrix;
};
std::optional<LayerPlace> place_of(const std::string& name) {
  const std::string prefix = "blocks.";
  const size_t after_block = name.find('.', prefix.size());
  const size_t after_part = after_block == std::string::npos ? after_block : name.find('.', after_block + 1);
  if (!name.starts_with(prefix) || after_part == std::string::npos) return std::nullopt;
  const std::string part = name.substr(after_block + 1, after_part - after_block - 1);
  return LayerPlace{std::stoul(name.substr(prefix.size(), after_block - prefix.size())),
                    part == "attn"  ? "attention"
                    : part == "mlp" ? "MLP"
                                    : part,
                    name.substr(after_part + 1)};
}

std::optional<report::LayerShares> layer_shares(const AttributionInputs& inputs, const attribute::Shown& shown) {
  const nn::Architecture& architecture = inputs.checkpoint.model.architecture();
  double total = 0;
  for (const double score : shown.layer_scores) total += score;
  if (shown.layer_scores.empty() || total <= 0) return std::nullopt;
  report::LayerShares shares{.matrices = {}, .shares = {}, .documents = static_cast<int>(shown.top.size())};
  std::map<std::string, size_t> columns;
  std::vector<std::pair<LayerPlace, double>> cells;
  for (size_t i = 0; i < inputs.layers.size(); ++i) {
    const auto place = place_of(architecture.layers()[static_cast<size_t>(inputs.layers[i])].name);
    if (!place) return std::nullopt;
    const auto [column, is_new] = columns.try_emplace(place->group + "." + place->matrix, columns.size());
    if (is_new) shares.matrices.push_back({place->group, place->matrix});
    cells.emplace_back(*place, shown.layer_scores[i] / total);
  }
  shares.shares.assign(static_cast<size_t>(architecture.facts().blocks), std::vector<double>(columns.size(), 0.0));
  for (const auto& [place, share] : cells)
    shares.shares.at(place.block)[columns.at(place.group + "." + place.matrix)] = share;
  return shares;
}

std::optional<report::CurvatureView> curvature_view(const attribute::CurvatureFacts& facts) {
  if (!facts.spectrum) return std::nullopt;
  const curvature::Spectrum& spectrum = *facts.spectrum;
  report::CurvatureView view{.low_decade = curvature::Spectrum::kLow,
                             .decades_per_bin = curvature::Spectrum::kStep,
                             .directions = {spectrum.directions.begin(), spectrum.directions.end()},
                             .below_damping = spectrum.below_damping,
                             .total = spectrum.total};
  if (facts.layers.empty()) return view;
  const auto [smallest, largest] = std::ranges::minmax(facts.layers, {}, &curvature::LayerSummary::input_stable_rank);
  view.smallest_stable_rank = smallest.input_stable_rank;
  view.largest_stable_rank = largest.input_stable_rank;
  return view;
}

report::Interval mean_interval(const std::vector<train::TailPatchDocument>& documents, double mean) {
  std::vector<double> measured;
  for (const auto& each : documents) measured.push_back(each.measured);
  const math::Interval interval = math::bootstrap_mean(measured);
  return {mean, interval.low, interval.high};
}

report::TrustCheck trust_check(const AttributionInputs& inputs, const train::TailPatchComparison& trust) {
  report::TrustCheck check;
  check.measure = inputs.measurement.name;
  check.step =
      "From the final model, one plain SGD step is taken on a single document, sized so that the document's own loss "
      "falls by "
      "0.05 nats a token; the weights are restored afterwards.";
  for (const auto* side : {&trust.top, &trust.random}) {
    for (const train::TailPatchDocument& each : *side) {
      (side == &trust.top ? check.top : check.random)
          .push_back({.index = each.row,
                      .predicted_nats = {},
                      .measured_nats = each.measured,
                      .label = inputs.label(each.row)});
      if (!each.reached) ++check.unreached;
    }
  }
  check.top_mean = mean_interval(trust.top, trust.top_mean);
  check.random_mean = mean_interval(trust.random, trust.random_mean);
  check.t = trust.welch_t;
  return check;
}

report::QueryView query_view(const AttributionInputs& inputs, const Attribution& found, size_t q) {
  const QueryFindings& findings = found.queries[q];
  const data::Query& query = inputs.queries[q];
  report::QueryView view{.tokens = query_tokens(inputs, q, findings),
                         .prompt_tokens = query.example.first_counted - static_cast<int>(first_own_token(inputs)),
                         .has_boundary_token = query.boundary_token_shared,
                         .scores = {},
                         .top = {},
                         .bottom = {},
                         .layers = layer_shares(inputs, findings.shown),
                         .trust = {}};
  const at::Tensor row = found.apart.total[static_cast<int64_t>(q)].to(at::kDouble).contiguous();
  view.scores.assign(row.const_data_ptr<double>(), row.const_data_ptr<double>() + row.numel());
  size_t place = 0;
  for (const int64_t each : findings.shown.top)
    view.top.push_back(scored_document(inputs, findings.shown, place++, each));
  for (const int64_t each : findings.shown.bottom)
    view.bottom.push_back(scored_document(inputs, findings.shown, place++, each));
  if (findings.trust && findings.trust->top.size() > 1 && findings.trust->random.size() > 1)
    view.trust = trust_check(inputs, *findings.trust);
  return view;
}

std::string corpus_name(const AttributeOptions& options) {
  const std::filesystem::path path = options.store.empty() ? options.data.data : options.store;
  const std::filesystem::path plain = path.lexically_normal();
  return (plain.has_filename() ? plain : plain.parent_path()).filename().string();
}

report::Provenance provenance(const AttributionInputs& inputs, const Session& session, const Plan& plan,
                              double seconds) {
  report::Provenance result;
  result.command = shell_line(session.invocation);
  result.rows = {{"Model", inputs.checkpoint.hash, inputs.checkpoint.format},
                 {"Corpus", inputs.dataset().content_hash(), format_counted(inputs.text.encoded.documents, "document")},
                 {"Tokenizer", inputs.tokenizer.hash(),
                  inputs.tokenizer.description() + "; BOS: " + inputs.text.encoded.bos_reason},
                 {"Seed", std::to_string(session.invocation.common().seed), ""},
                 {"Version", version(), ""}};
  if (inputs.index) result.rows.insert(result.rows.begin() + 2, store_row(inputs));
  result.costs = cost_rows(plan, seconds);
  return result;
}

}  // namespace

report::AttributionView attribution_view(const AttributionInputs& inputs, const Attribution& found,
                                         const AttributeOptions& options, const Session& session, const Plan& plan,
                                         double seconds) {
  report::AttributionView view;
  view.model = model_facts(inputs, options);
  view.method = inputs.method.canonical();
  view.method_title = found.meaning.title;
  view.is_signed = found.meaning.is_signed;
  view.of_gradients = attribute::uses_gradients(inputs.method);
  view.is_projected = inputs.index && !found.store->exact;
  view.is_closeness = found.meaning.is_closeness;
  view.measure = inputs.measurement.name;
  view.nats_per_raw = nats_per_raw(inputs, found, options);
  view.score_unit = found.meaning.unit;
  view.corpus = options.data.data == "-" ? "standard input" : corpus_name(options);
  if (inputs.whole) view.filtered_from = inputs.filtered.searched;
  view.corpus_tokens = inputs.dataset().tokens();
  const data::EncodedCorpus& corpus = inputs.corpus().encoded;
  const bool is_split = std::ssize(corpus.document_of) > corpus.documents;
  (is_split ? view.documents_split : view.documents_cut) = inputs.text.encoded.long_documents;
  view.context = static_cast<int>(inputs.context);
  if (options.train_size > 0) view.train_size = options.train_size;
  view.date = today();
  if (is_split) view.noun = {"text", "texts"};  // of which several are parts of one document
  view.layers_not_covered = inputs.not_covered;
  view.warnings = found.warnings;
  if (found.curvature) view.curvature = curvature_view(*found.curvature);
  if (const double mean = attribute::mean_stability(found.stability); std::isfinite(mean)) view.stability = mean;
  view.questions = std::ssize(inputs.queries);
  for (size_t q = 0; q < found.queries.size(); ++q) view.queries.push_back(query_view(inputs, found, q));
  view.sums = summed_views(inputs, found, summed_rankings(inputs, found, options));
  view.provenance = provenance(inputs, session, plan, seconds);
  return view;
}

}  // namespace assay::cli
