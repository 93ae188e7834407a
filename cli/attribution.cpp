#include "cli/attribution.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <set>

#include "assay/attribute/cost.h"
#include "assay/attribute/filter_options.h"
#include "assay/attribute/groups.h"
#include "assay/attribute/methods_options.h"
#include "assay/attribute/stability.h"
#include "assay/attribute/trust.h"
#include "assay/core/error.h"
#include "assay/core/hash.h"
#include "assay/core/machine.h"
#include "assay/core/version.h"
#include "assay/io/source.h"
#include "assay/kernel/ceilings.h"
#include "assay/report/numbers.h"
#include "cli/attribution_sums.h"
#include "cli/planning.h"
#include "cli/store_attribution.h"

namespace assay::cli {
namespace {

constexpr size_t kQueriesShown = 10;    // looked at closely; the scores hold all
constexpr int64_t kReportedTokens = 5;  // alternatives of a completion's token
constexpr int64_t kShownByDefault = 20;
constexpr const char* kOtherLabels = ", other labels";

const char* measure_name(Measure measure) {
  return measure == Measure::LogProbability ? "logprob" : measure == Measure::Loss ? "loss" : "margin";
}

std::vector<data::QueryText> asked(const AttributeOptions& options) {
  if (options.queries.empty()) return {{options.prompt, options.completion, "--prompt and --completion"}};
  return data::read_queries(options.queries);
}

void check_top(const AttributeOptions& options, int64_t documents) {
  if (options.top <= documents) return;  // 0 is the default, cut to what there is
  throw Error(ErrorKind::Usage,
              fmt::format("reading --top: there {} {} to show, but it asks for {}; lower it, or give more documents",
                          documents == 1 ? "is" : "are", format_counted(documents, "document"), options.top));
}

int64_t shown_each(const AttributeOptions& options, int64_t documents) {
  return options.top > 0 ? options.top : std::min(kShownByDefault, documents);
}

int64_t memory_of(const AttributeOptions& options) {
  return options.common.memory_bytes > 0 ? options.common.memory_bytes : available_memory_bytes();
}

/// How much of the corpus was looked at.
std::string filter_sentence(const AttributionInputs& inputs) {
  const attribute::Filtered& kept = inputs.filtered;
  return fmt::format(
      "The filter kept {} of {} ({}), those nearest to a question in words; the others are not scored, however strong "
      "they may be.",
      format_count(std::ssize(kept.rows)), format_counted(kept.searched, "document"), report::percent(kept.share()));
}

std::string group_field_of(const AttributeOptions& options) {
  return options.group_field.empty() ? "group" : options.group_field;
}

attribute::Scores grouped(const AttributionInputs& inputs, const AttributeOptions& options, attribute::Scores scores) {
  const Grouping grouping = options.grouping;
  if (grouping == Grouping::Queries || grouping == Grouping::Both) scores = attribute::summed_over_queries(scores);
  if (grouping == Grouping::Documents || grouping == Grouping::Both) {
    scores = attribute::summed_over_documents(scores, inputs.groups.group_of, std::ssize(inputs.groups.names));
  }
  return scores;
}

/// The first queries, looked at closely.
int64_t looked_at(const AttributionInputs& inputs) {
  return static_cast<int64_t>(std::min(kQueriesShown, inputs.queries.size()));
}

void check_trust(const AttributionInputs& inputs, const AttributeOptions& options, Attribution& found,
                 Progress& progress) {
  std::vector<int64_t> rows(found.queries.size());
  std::iota(rows.begin(), rows.end(), 0);
  const auto seed = static_cast<uint64_t>(options.common.seed);
  const auto requests = attribute::trust_requests(found.apart.total, looked_at(inputs), seed, told_among(found));
  const int64_t memory_bytes = attribute::trust_memory_bytes(method_inputs(inputs, options).memory_bytes);
  const train::TailPatchResult result =
      train::tail_patch(inputs.checkpoint.model, inputs.dataset(), data::subset(inputs.query_dataset, rows), requests,
                        inputs.measurement, {.memory_bytes = memory_bytes, .seed = seed}, progress);
  for (size_t q = 0; q < found.queries.size(); ++q) found.queries[q].trust = result.queries[q];
  for (std::string& warning : attribute::trust_warnings(inputs.dataset().size(), result.queries)) {
    progress.note(warning);
    found.warnings.push_back(std::move(warning));
  }
}

/// Texts of everything that is shown, read again from their files. Where that is refused meanwhile, because somebody
/// wrote to a file during the run, the tokens tell what was scored, and a warning says so: no result is lost for it.
void add_texts(const AttributionInputs& inputs, const AttributeOptions& options, Attribution& found,
               Progress& progress) {
  std::set<int64_t> shown;
  for (const QueryFindings& findings : found.queries) {
    shown.insert(findings.shown.top.begin(), findings.shown.top.end());
    shown.insert(findings.shown.bottom.begin(), findings.shown.bottom.end());
  }
  if (inputs.groups.names.empty())
    for (const SummedRanking& ranking : summed_rankings(inputs, found, options))
      shown.insert(ranking.columns.begin(), ranking.columns.end());
  const std::vector<int64_t> rows(shown.begin(), shown.end());
  try {
    inputs.texts()->visit(rows, [&](int64_t row, std::string_view text) { found.texts[row] = text; });
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::Data) throw;
    found.warnings.push_back(
        fmt::format("Texts are told by their tokens, because {}.", io::without_advice(error.what())));
    progress.note(found.warnings.back());
    for (const int64_t row : rows) found.texts[row] = inputs.text.text_of_tokens(inputs.tokenizer, row);
  }
}

/// The method that was asked for; --rank is its argument by another name.
FactoryCall method_of(const AttributeOptions& options) {
  const std::string asked_for = options.store.empty() || options.method_given ? options.method : "logra";
  const FactoryCall call = parse_factory(asked_for, attribute::method_table(), "method");
  if (options.rank == 0) return call;
  constexpr std::string_view kFull = "rank=full";
  std::string text = call.canonical();
  const size_t place = text.find(kFull);
  if (place == std::string::npos) {
    throw Error(ErrorKind::Usage, fmt::format("reading --rank: the method must keep directions of questions and leave "
                                              "their rank open (ekfac, kfac, diagonal, relatif), but it is {}; leave "
                                              "--rank out",
                                              text));
  }
  text.replace(place, kFull.size(), fmt::format("rank={}", options.rank));
  return parse_factory(text, attribute::method_table(), "method");
}

void filter_corpus(AttributionInputs& inputs, const AttributeOptions& options, Progress& progress) {
  if (inputs.index) {
    throw Error(ErrorKind::Usage,
                "reading --filter: it saves gradients of documents, but with --store none are taken; leave it out");
  }
  const FactoryCall filter = parse_factory(options.filter, attribute::filter_table(), "filter");
  inputs.whole = std::move(inputs.text);
  inputs.filtered =
      attribute::filter_documents(filter, inputs.whole->encoded.dataset, inputs.queries,
                                  inputs.whole->encoded.adds_bos ? 1 : 0, cache_folder(options.cache), progress);
  inputs.text = data::with_examples(*inputs.whole, inputs.filtered.rows);
  progress.note(filter_sentence(inputs));
}

/// What a reader must know of directions that were compressed.
std::string rank_sentence(const at::Tensor& errors) {
  constexpr double kRounding = 1e-5;  // of float32 decompositions
  if (errors.max().item<double>() < kRounding)
    return "The questions' directions fit into the rank asked for: nothing but rounding was lost.";
  return fmt::format(
      "The questions' directions were kept at a lower rank, which lost {} of their length on average and {} at most.",
      report::percent(errors.mean().item<double>()), report::percent(errors.max().item<double>()));
}

}  // namespace

std::shared_ptr<const data::ExampleTexts> AttributionInputs::texts() const {
  return indexed.texts ? indexed.texts : data::texts_of(text, tokenizer);
}

std::string AttributionInputs::source(int64_t row) const {
  return index ? indexed.source(row) : text.documents.source(text.encoded.document_of[static_cast<size_t>(row)]);
}

std::string AttributionInputs::label(int64_t row) const {
  const std::vector<int64_t>& document_of = corpus().encoded.document_of;
  const auto place = static_cast<size_t>(whole ? filtered.rows[static_cast<size_t>(row)] : row);
  const int64_t document = document_of[place];
  size_t first = place, last = place;
  while (first > 0 && document_of[first - 1] == document_of[place]) --first;
  while (last + 1 < document_of.size() && document_of[last + 1] == document_of[place]) ++last;
  const std::string name = format_count(document);
  return first == last ? name : fmt::format("{}, part {}", name, place - first + 1);
}

AttributionInputs load_attribution(const AttributeOptions& options, Progress& progress) {
  const FactoryCall call = method_of(options);
  nn::Checkpoint checkpoint = nn::load_checkpoint(options.model, dtype_of(options.common));
  const nn::Architecture& architecture = checkpoint.model.architecture();
  if (architecture.facts().context == 0) {
    throw Error(ErrorKind::Usage, "attributing with \"" + options.model +
                                      "\": the command needs a model that reads text, but this one "
                                      "reads arrays; use the library (examples/ shows how)");
  }
  data::Tokenizer tokenizer = data::load_tokenizer(options.model);
  data::require_tokenizer_fits(tokenizer, architecture.facts().vocabulary);
  const auto index = open_index(options, checkpoint, tokenizer);
  const int64_t context = index ? index->about().context : context_of(options.data, architecture);
  const int64_t takes = architecture.facts().context;
  const bool groups_documents = options.grouping == Grouping::Documents || options.grouping == Grouping::Both;
  const attribute::IndexedDocuments indexed = index ? index->documents() : attribute::IndexedDocuments{};
  AttributionInputs inputs{.checkpoint = std::move(checkpoint),
                           .tokenizer = tokenizer,
                           .context = context,
                           .text = index ? indexed_text(indexed, progress)
                                         : load_text(options.data, tokenizer, context, progress,
                                                     groups_documents ? group_field_of(options) : ""),
                           .groups = {},
                           .queries = {},
                           .query_dataset = {},
                           .query_texts = {},
                           .method = call,
                           .measurement = nn::measurement_named(measure_name(options.measure)),
                           .layers = {},
                           .not_covered = {},
                           .layer_groups = {},
                           .index = index,
                           .indexed = indexed,
                           .whole = {},
                           .filtered = {}};
  if (attribute::uses_gradients(call) || options.trust_check)
    data::require_targets(inputs.text.encoded, index ? options.store : shown_name(options.data));
  const data::BosPolicy bos = !index                    ? bos_policy(options.data.begin_token)
                              : index->about().adds_bos ? data::BosPolicy::Yes
                                                        : data::BosPolicy::No;
  for (const data::QueryText& text : asked(options)) {
    // How documents are cut says nothing of questions: only the model limits those.
    inputs.queries.push_back(data::encode_query(text, tokenizer, {.context = takes, .bos = bos}));
    inputs.query_texts.push_back(text.prompt + text.completion);
  }
  inputs.query_dataset = data::query_dataset(inputs.queries);
  if (!options.filter.empty()) filter_corpus(inputs, options, progress);
  if (groups_documents) {
    std::vector<std::string> names;
    for (const int64_t document : inputs.text.encoded.document_of)
      names.push_back(inputs.text.documents.groups().at(static_cast<size_t>(document)));
    inputs.groups = attribute::group_by_name(names);
  }
  const nn::Architecture& kept = inputs.checkpoint.model.architecture();
  inputs.layers =
      index ? index_layers(*index, options, kept) : kept.match_layers(options.layers.empty() ? "*" : options.layers);
  inputs.not_covered = kept.uncovered_parameters(inputs.layers);
  if (index) inputs.layer_groups = layer_groups(inputs, options);
  check_top(options, inputs.dataset().size());
  return inputs;
}

attribute::Inputs method_inputs(const AttributionInputs& inputs, const AttributeOptions& options,
                                const attribute::Documents& train) {
  return {.model = inputs.checkpoint.model,
          .train = train,
          .queries = {inputs.query_dataset, std::make_shared<data::TextList>(inputs.query_texts)},
          .measurement = inputs.measurement,
          .layers = inputs.layers,
          .seed = static_cast<uint64_t>(options.common.seed),
          .memory_bytes = memory_of(options) / 4,  // each of factors, directions, a batch; the rest is the model's
          .model_hash = inputs.checkpoint.hash,
          .cache_folder = cache_folder(options.cache),
          .index = inputs.index.get()};
}

attribute::Inputs method_inputs(const AttributionInputs& inputs, const AttributeOptions& options) {
  if (!inputs.whole) return method_inputs(inputs, options, inputs.documents());
  return method_inputs(inputs, options,
                       {inputs.whole->encoded.dataset, data::texts_of(*inputs.whole, inputs.tokenizer)});
}

attribute::Parts parts_of(const AttributeOptions& options) {
  return {.per_token = options.per_token, .per_layer = options.per_layer, .self_influence = options.self_influence};
}

std::string identity_of(const AttributionInputs& inputs, const AttributeOptions& options) {
  Hasher hasher;
  hasher.add("attribute").add(version()).add(inputs.checkpoint.hash).add(inputs.tokenizer.hash());
  hasher.add(inputs.text.manifest.hash).add(inputs.dataset().content_hash()).add(inputs.query_dataset.content_hash());
  for (const data::Query& query : inputs.queries) hasher.add(static_cast<uint64_t>(query.example.first_counted));
  if (inputs.index) hasher.add("store").add(inputs.index->hash());
  for (const NamedLayers& group : options.layer_groups) hasher.add(group.name).add(group.pattern);
  hasher.add(static_cast<uint64_t>(options.rescore)).add(static_cast<uint64_t>(options.all_scores ? 1 : 0));
  hasher.add(inputs.method.canonical())
      .add(inputs.measurement.name)
      .add(options.layers)
      .add(group_field_of(options))
      .add(options.filter);
  for (const int64_t number :
       {static_cast<int64_t>(options.grouping), options.top, options.train_size, options.common.seed,
        static_cast<int64_t>(options.common.precision), static_cast<int64_t>(options.per_token),
        static_cast<int64_t>(options.per_layer), static_cast<int64_t>(options.self_influence),
        static_cast<int64_t>(options.trust_check), static_cast<int64_t>(options.stability)}) {
    hasher.add(static_cast<uint64_t>(number));
  }
  return hasher.digest128();
}

Plan plan_attribution(const AttributionInputs& inputs, const AttributeOptions& options) {
  Plan plan(kernel::machine_ceilings(cache_folder(options.cache)));
  const attribute::Inputs given = method_inputs(inputs, options);
  const attribute::Inputs scored = method_inputs(inputs, options, inputs.documents());
  if (inputs.index) {
    plan_store(plan, inputs, options, given, looked_at(inputs));
  } else {
    attribute::add_fit_stages(plan, inputs.method, given);
    attribute::add_score_stage(plan, inputs.method, scored, parts_of(options), "", &given);
  }
  attribute::add_shown_stage(plan, options.rescore > 0 ? exact_method(inputs.method) : inputs.method, scored,
                             looked_at(inputs), shown_each(options, inputs.dataset().size()));
  if (options.stability) {
    const attribute::Inputs other = attribute::with_other_labels(given);
    attribute::add_fit_stages(plan, inputs.method, other, kOtherLabels);
    attribute::add_score_stage(plan, inputs.method, attribute::with_other_labels(scored), {}, kOtherLabels, &other);
  }
  if (options.trust_check) plan.add("trust check", attribute::trust_cost(scored, looked_at(inputs)));
  return plan;
}

Attribution attribute_documents(const AttributionInputs& inputs, const AttributeOptions& options,
                                const std::string& folder, Progress& progress) {
  const attribute::Inputs given = method_inputs(inputs, options);
  const auto workspace_in = [&](const char* part) {
    return folder.empty() ? curvature::Workspace()
                          : curvature::Workspace(folder + part, identity_of(inputs, options), progress);
  };
  curvature::Workspace workspace = workspace_in("/scores");
  Attribution found;
  std::unique_ptr<attribute::Scorer> scorer;
  if (inputs.index) {
    scorer = score_by_store(inputs, options, given, looked_at(inputs), shown_each(options, inputs.dataset().size()),
                            workspace, found, progress);
  } else {
    scorer = attribute::make_scorer(inputs.method, given, progress);
    found.apart = scorer->score(inputs.documents(), parts_of(options), workspace, progress);
    found.warnings = scorer->warnings();
    if (inputs.whole) found.warnings.push_back(filter_sentence(inputs));
    if (found.apart.rank_errors.defined()) {
      found.warnings.push_back(rank_sentence(found.apart.rank_errors));
      progress.note(found.warnings.back());
    }
  }
  const nn::Architecture& architecture = inputs.checkpoint.model.architecture();
  for (std::string warning :
       {beyond_training(architecture, inputs.dataset()),
        beyond_training(architecture, inputs.query_dataset.longest(), "a shorter question keeps within")}) {
    if (warning.empty()) continue;
    progress.note(warning);
    found.warnings.push_back(std::move(warning));
  }
  found.meaning = scorer->meaning();
  found.curvature = scorer->curvature();
  found.scores = grouped(inputs, options, found.apart);
  std::vector<int64_t> closely(static_cast<size_t>(looked_at(inputs)));
  std::iota(closely.begin(), closely.end(), 0);
  auto shown = attribute::shown_documents(*scorer, inputs.documents(), found.apart.total, closely,
                                          shown_each(options, inputs.dataset().size()), progress, told_among(found));
  for (size_t q = 0; q < closely.size(); ++q) {
    found.queries.push_back({std::move(shown[q]),
                             attribute::read_tokens(inputs.checkpoint.model, inputs.queries[q].example, kReportedTokens,
                                                    inputs.tokenizer.vocabulary_size()),
                             {}});
  }
  if (options.stability) {
    curvature::Workspace other = workspace_in("/other_labels");
    found.stability =
        attribute::label_stability(inputs.method, given, inputs.documents(), found.apart.total, other, progress);
  }
  if (options.trust_check) check_trust(inputs, options, found, progress);
  add_texts(inputs, options, found, progress);
  return found;
}

}  // namespace assay::cli
