#include "cli/store_attribution.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "assay/attribute/index_cost.h"
#include "assay/attribute/logra.h"
#include "assay/attribute/methods_options.h"
#include "assay/attribute/rescore.h"
#include "assay/attribute/trust.h"
#include "assay/core/error.h"
#include "assay/core/near_match.h"

namespace assay::cli {
namespace {

constexpr double kPoorAgreement = 0.3;

int64_t whole_rows(const AttributionInputs& inputs, const AttributeOptions& options, int64_t closely) {
  const bool needs_all = options.all_scores || options.grouping == Grouping::Queries;
  return needs_all ? std::ssize(inputs.queries) : closely;
}

bool needs_self(const AttributionInputs& inputs, const AttributeOptions& options) {
  return options.self_influence || !inputs.method.is_word("mode", "dot");
}

std::string told_sentence(const std::string& method, int64_t rescored, int64_t documents) {
  if (rescored == documents)
    return fmt::format("Every score is that of {}: all {} were scored again.", method,
                       format_counted(documents, "document"));
  return fmt::format(
      "Documents are told in the order of {}: {} of {} were scored again, and no other is listed; the "
      "others keep the index's estimate, brought to the same scale, for sums and shares over all.",
      method, rescored, format_counted(documents, "document"));
}

std::unique_ptr<attribute::Scorer> score_again(const AttributionInputs& inputs, const AttributeOptions& options,
                                               const attribute::Inputs& given, const attribute::ScanResult& scan,
                                               curvature::Workspace& workspace, Attribution& found,
                                               Progress& progress) {
  std::vector<int64_t> rows = attribute::rows_to_rescore(scan, options.rescore);
  const FactoryCall method = exact_method(inputs.method);
  auto exact = attribute::make_scorer(method, given, progress);
  const data::Dataset again = data::subset(inputs.dataset(), rows);
  const at::Tensor scores = exact->score({again}, {}, workspace, progress).total;
  attribute::Rescored merged = attribute::rescored(scan, rows, scores);
  found.apart.total = std::move(merged.whole);
  found.store->top = std::move(merged.top);
  found.store->bottom = std::move(merged.bottom);
  found.store->exact = method;
  found.store->agreement = std::move(merged.agreement);
  found.store->scale = std::move(merged.scale);
  for (std::string& warning : exact->warnings()) found.warnings.push_back(std::move(warning));
  found.warnings.push_back(told_sentence(exact->meaning().title, std::ssize(rows), inputs.dataset().size()));
  found.store->rescored = std::move(rows);
  const auto poor = std::ranges::count_if(found.store->agreement,
                                          [](double value) { return !std::isnan(value) && value < kPoorAgreement; });
  if (poor > 0) {
    found.warnings.push_back(fmt::format(
        "For {} of {} the index and EK-FAC agree poorly on the documents that both scored (Spearman below {}): strong "
        "documents may have been missed; raise --rescore, or make the index with a higher rank or --projection pca.",
        poor, format_counted(std::ssize(found.store->agreement), "question"), kPoorAgreement));
  }
  return exact;
}

}  // namespace

std::shared_ptr<const attribute::GradientIndex> open_index(const AttributeOptions& options,
                                                           const nn::Checkpoint& checkpoint,
                                                           const data::Tokenizer& tokenizer) {
  if (options.store.empty()) return nullptr;
  auto index = std::make_shared<const attribute::GradientIndex>(options.store);
  index->require_made_with(checkpoint.hash, tokenizer.hash());
  if (index->about().precision != nn::precision_name(checkpoint.model)) {
    throw Error(ErrorKind::Usage,
                fmt::format("asking the index \"{}\": questions must be in its precision, {}, but --dtype is {}; give "
                            "--dtype {}, or make an index in the other",
                            options.store, index->about().precision, nn::precision_name(checkpoint.model),
                            index->about().precision));
  }
  return index;
}

data::TokenizedCorpus indexed_text(const attribute::IndexedDocuments& documents, Progress& progress) {
  data::TokenizedCorpus text;
  text.has_files = false;  // of an index that was made without texts, tokens tell them
  data::EncodedCorpus& encoded = text.encoded;
  encoded.dataset = documents.dataset;
  encoded.document_of = documents.document_of;
  encoded.is_part = documents.is_part;
  encoded.adds_bos = documents.adds_bos;
  encoded.bos_reason = bos_as_in_index(documents.adds_bos);
  int64_t last = -1;
  for (int64_t row = 0; row < documents.size(); ++row) {
    const auto place = static_cast<size_t>(row);
    if (documents.dataset.examples[place].tokens.size() < 2) ++encoded.without_target;
    if (encoded.document_of[place] == last) continue;
    last = encoded.document_of[place];
    ++encoded.documents;
    if (encoded.is_part[place]) ++encoded.long_documents;
  }
  progress.note(fmt::format("{}, {}; BOS: {}", format_counted(encoded.documents, "document"),
                            format_counted(encoded.dataset.tokens(), "token"), encoded.bos_reason));
  return text;
}

std::vector<nn::LayerId> index_layers(const attribute::GradientIndex& index, const AttributeOptions& options,
                                      const nn::Architecture& architecture) {
  const std::vector<nn::LayerId> held = index.layer_ids(architecture);
  if (options.layers.empty()) return held;
  std::vector<nn::LayerId> chosen = architecture.match_layers(options.layers);
  for (const nn::LayerId layer : chosen) {
    if (std::ranges::find(held, layer) != held.end()) continue;
    std::vector<std::string> known;
    for (const auto& each : index.about().layers) known.push_back(each.name);
    const std::string& name = architecture.layers()[static_cast<size_t>(layer)].name;
    throw Error(
        ErrorKind::Usage,
        fmt::format("reading --layers: the layers must be among the index's {}, but \"{}\" is not{}; name others, "
                    "or make an index with it",
                    held.size(), name, closest_clause(name, known)));
  }
  return chosen;
}

std::vector<attribute::LayerGroup> layer_groups(const AttributionInputs& inputs, const AttributeOptions& options) {
  std::vector<attribute::LayerGroup> groups;
  const nn::Architecture& architecture = inputs.checkpoint.model.architecture();
  const std::vector<nn::LayerId> held = inputs.index->layer_ids(architecture);
  for (const NamedLayers& named : options.layer_groups) {
    attribute::LayerGroup group{.name = named.name, .layers = {}};
    for (const nn::LayerId layer : architecture.match_layers(named.pattern)) {
      const auto found = std::ranges::find(held, layer);
      const bool is_used = std::ranges::find(inputs.layers, layer) != inputs.layers.end();
      if (found != held.end() && is_used) group.layers.push_back(static_cast<size_t>(found - held.begin()));
    }
    if (group.layers.empty()) {
      throw Error(ErrorKind::Usage,
                  fmt::format("reading --layer-groups: each group must have a layer of the index, but "
                              "\"{}\" has none; correct its pattern",
                              group.name));
    }
    groups.push_back(std::move(group));
  }
  return groups;
}

FactoryCall exact_method(const FactoryCall& method) {
  if (method.is_word("mode", "l2")) {
    throw Error(
        ErrorKind::Usage,
        "reading --rescore: the method must have an exact form in EK-FAC, as the modes dot and relatif have, but "
        "it is " +
            method.canonical() + "; choose one of those or leave --rescore out");
  }
  const bool is_relative = method.is_word("mode", "relatif");
  return parse_factory(fmt::format("{}(damping={})", is_relative ? "relatif" : "ekfac", method.number("damping")),
                       attribute::method_table(), "method");
}

void plan_store(Plan& plan, const AttributionInputs& inputs, const AttributeOptions& options,
                const attribute::Inputs& given, int64_t closely) {
  const int64_t each = 2 * options.rescore * std::ssize(inputs.queries);
  attribute::add_store_stages(plan, given,
                              {.needs_self = needs_self(inputs, options),
                               .whole_rows = whole_rows(inputs, options, closely),
                               .rescored = std::min(each, inputs.dataset().size())},
                              options.rescore > 0 ? exact_method(inputs.method) : inputs.method);
}

std::span<const int64_t> told_among(const Attribution& found) {
  return found.store ? std::span(found.store->rescored) : std::span<const int64_t>();
}

std::unique_ptr<attribute::Scorer> score_by_store(const AttributionInputs& inputs, const AttributeOptions& options,
                                                  const attribute::Inputs& given, int64_t closely, int64_t shown,
                                                  curvature::Workspace& workspace, Attribution& found,
                                                  Progress& progress) {
  auto scorer = attribute::make_logra_scorer(inputs.method, given, progress);
  const int64_t strongest = std::max({options.rescore, shown, attribute::trust_counts(inputs.dataset().size()).top});
  attribute::ScanResult scan =
      scorer->scan(strongest, whole_rows(inputs, options, closely), options.per_layer, inputs.layer_groups, progress);
  found.warnings = scorer->warnings();
  if (std::string warning = inputs.index->unfinished_warning(); !warning.empty())
    found.warnings.insert(found.warnings.begin(), std::move(warning));
  found.store = {.top = scan.top,
                 .bottom = scan.bottom,
                 .groups = inputs.layer_groups,
                 .group_top = scan.group_top,
                 .group_whole = scan.group_whole,
                 .rescored = {},
                 .exact = {},
                 .agreement = {},
                 .scale = {}};
  found.apart.total = scan.whole;
  found.apart.per_layer = scan.per_layer;
  if (options.self_influence) found.apart.self_influence = scorer->self_influence(progress);
  if (options.rescore == 0) return scorer;
  return score_again(inputs, options, given, scan, workspace, found, progress);
}

}  // namespace assay::cli
