// assay index: the projected gradients of a corpus, logged once for many questions.
#include <fmt/format.h>

#include <chrono>
#include <optional>

#include "assay/attribute/index_build.h"
#include "assay/attribute/index_cost.h"
#include "assay/core/cache.h"
#include "assay/core/error.h"
#include "assay/core/machine.h"
#include "assay/io/atomic_file.h"
#include "assay/kernel/ceilings.h"
#include "assay/nn/checkpoint.h"
#include "cli/append_check.h"
#include "cli/batch_check.h"
#include "cli/commands.h"
#include "cli/loading.h"
#include "cli/planning.h"
#include "cli/result.h"

namespace assay::cli {
namespace {

using nlohmann::ordered_json;

/// What an index that documents are appended to was made with; where nothing is appended, nothing.
std::optional<attribute::IndexAbout> earlier(const IndexOptions& options) {
  if (!options.append) return std::nullopt;
  const io::Source source{.name = options.common.out};
  return attribute::IndexAbout::from_json(io::Store::about_in(options.common.out, attribute::index_kind()), source);
}

/// The settings asked for; those of the index that is there in the place of what was not given.
attribute::IndexSettings settings_of(const IndexOptions& options, const std::optional<attribute::IndexAbout>& there) {
  attribute::IndexSettings settings = there ? there->settings : attribute::IndexSettings{};
  if (options.projection_given) settings.projection = options.settings.projection;
  if (options.curvature_given) settings.curvature = options.settings.curvature;
  if (options.type_given) settings.rows = options.settings.rows;
  if (options.rank > 0) settings.rank_in = settings.rank_out = options.rank;
  if (options.rank_in > 0) settings.rank_in = options.rank_in;
  if (options.rank_out > 0) settings.rank_out = options.rank_out;
  const bool is_drawn = settings.projection == attribute::ProjectionKind::Random;
  if (is_drawn && (!there || options.common.seed_given)) settings.seed = static_cast<uint64_t>(options.common.seed);
  return settings;
}

std::string layer_pattern(const IndexOptions& options, const std::optional<attribute::IndexAbout>& there) {
  if (!options.layers.empty() || !there) return options.layers.empty() ? "*" : options.layers;
  std::string names;
  for (const auto& layer : there->layers) names += (names.empty() ? "" : ",") + layer.name;
  return names;
}

/// How documents are read: as those of the index that is there, but for what was given.
DataOptions reading_of(const IndexOptions& options, const std::optional<attribute::IndexAbout>& there) {
  DataOptions reading = options.data;
  if (!there) return reading;
  if (reading.context == 0) reading.context = there->context;
  if (reading.begin_token == BeginToken::Auto) {
    reading.begin_token = there->adds_bos ? BeginToken::Yes : BeginToken::No;
    reading.begin_inherited = true;
  }
  for (const LongText each : {LongText::Cut, LongText::Split, LongText::Refuse})
    if (!reading.long_given && there->long_texts == long_text_name(each)) reading.long_text = each;
  return reading;
}

/// What becomes of appended texts that the index holds already.
std::string duplicates_sentence(const attribute::IndexOutcome& outcome) {
  if (outcome.duplicates == 0 || outcome.was_there) return "";
  return fmt::format(
      "{} of the {} that were added {} in the index already and {} ranked beside {} now; to have each once, make the "
      "index again without them.\n",
      format_count(outcome.duplicates), format_counted(outcome.added, "document"),
      outcome.duplicates == 1 ? "is" : "are", outcome.duplicates == 1 ? "is" : "are",
      outcome.duplicates == 1 ? "itself" : "themselves");
}

/// The corpus must outlive them.
attribute::IndexedDocuments indexed(const data::TokenizedCorpus& text, const data::Tokenizer& tokenizer) {
  return {
      .dataset = text.encoded.dataset,
      .texts = data::texts_of(text, tokenizer),
      .source =
          [&text](int64_t row) { return text.documents.source(text.encoded.document_of[static_cast<size_t>(row)]); },
      .document_of = text.encoded.document_of,
      .is_part = text.encoded.is_part,
      .adds_bos = text.encoded.adds_bos};
}

int64_t rows_before(const IndexOptions& options) {
  try {
    return options.append ? attribute::GradientIndex(options.common.out).rows() : 0;
  } catch (const Error&) {
    return 0;  // none that was ever finished: the append itself will say so
  }
}

ordered_json index_json(const attribute::IndexRequest& request, const attribute::IndexOutcome& outcome,
                        const nn::Checkpoint& checkpoint, const data::TokenizedCorpus& text,
                        const IndexOptions& options, const Session& session) {
  const attribute::GradientIndex index(options.common.out);
  const attribute::IndexAbout& about = index.about();
  ordered_json result = result_head(session.invocation);
  result["model"] = {{"path", checkpoint.path}, {"hash", checkpoint.hash}};
  result["tokenizer"] = {{"hash", about.tokenizer_hash}};
  result["data"] = corpus_json(text);
  result["unit"] = "nats";
  result["sign"] = "gradients of the loss";
  result["index"] = {{"rows", index.rows()},
                     {"columns", about.columns()},
                     {"blocks", index.blocks().size()},
                     {"parts", index.parts()},
                     {"projection", to_string(about.settings.projection)},
                     {"rank_out", about.settings.rank_out},
                     {"rank_in", about.settings.rank_in},
                     {"seed", about.settings.seed},
                     {"curvature", to_string(about.settings.curvature)},
                     {"type", to_string(about.settings.rows)},
                     {"bytes", folder_bytes(options.common.out)}};
  result["added"] = {{"rows", outcome.added},
                     {"reused", outcome.reused},
                     {"duplicates", outcome.duplicates},
                     {"dropped", outcome.dropped}};
  result["layers"] = ordered_json::array();
  for (const auto& layer : about.layers) result["layers"].push_back(layer.name);
  result["parameters_not_covered"] = request.model.architecture().uncovered_parameters(request.layers);
  return result;
}

}  // namespace

void run(const IndexOptions& options, Session& session) {
  const nn::Checkpoint checkpoint = nn::load_checkpoint(options.model, dtype_of(options.common));
  const nn::Architecture& architecture = checkpoint.model.architecture();
  if (architecture.facts().context == 0) {
    throw Error(ErrorKind::Usage, "indexing with \"" + options.model +
                                      "\": the command needs a model that reads text, but this one reads arrays; use "
                                      "the library");
  }
  const data::Tokenizer tokenizer = data::load_tokenizer(options.model);
  data::require_tokenizer_fits(tokenizer, architecture.facts().vocabulary);
  const std::optional<attribute::IndexAbout> there = earlier(options);
  const std::vector<nn::LayerId> layers = architecture.match_layers(layer_pattern(options, there));
  if (there) require_same_settings(options, *there, checkpoint, layers);
  const DataOptions reading = reading_of(options, there);
  const int64_t context = context_of(reading, architecture);
  const data::TokenizedCorpus text = load_text(reading, tokenizer, context, session.progress);
  data::require_targets(text.encoded, shown_name(options.data));
  if (const std::string warning = beyond_training(architecture, text.encoded.dataset); !warning.empty())
    session.progress.note(warning);
  const attribute::IndexedDocuments documents = indexed(text, tokenizer);
  const int64_t memory = options.common.memory_bytes > 0 ? options.common.memory_bytes : available_memory_bytes();
  const attribute::IndexRequest request{.model = checkpoint.model,
                                        .documents = documents,
                                        .layers = layers,
                                        .settings = settings_of(options, there),
                                        .model_hash = checkpoint.hash,
                                        .tokenizer_hash = tokenizer.hash(),
                                        .context = context,
                                        .long_texts = long_text_name(reading.long_text),
                                        .memory_bytes = memory / 4,
                                        .cache_folder = cache_folder(options.cache),
                                        .append = options.append,
                                        .restart = options.common.force};
  Plan plan(kernel::machine_ceilings(cache_folder(options.cache)));
  attribute::add_index_stages(plan, request, rows_before(options));
  const attribute::Inputs given = attribute::inputs_of(request);
  const bool checks_batches = plan_batch_check(options.check_batches, plan, given);
  if (stops_at_plan(session, plan, shorter_by_limit(plan, documents.size()))) return;
  const attribute::IndexAbout about = attribute::about_of(request);
  session.progress.note(fmt::format("{} × {} numbers in {}: {} on disk", format_counted(documents.size(), "row"),
                                    format_count(about.columns()), to_string(about.settings.rows),
                                    format_bytes(plan.disk_bytes())));

  reset_peak_resident();
  const auto started = std::chrono::steady_clock::now();
  const auto check = checks_batches ? checked_batches(given, session.progress) : std::nullopt;
  const attribute::IndexOutcome outcome = attribute::build_index(options.common.out, request, session.progress);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  if (outcome.was_there) session.progress.note("The index holds these documents already; nothing was done.");
  const std::string unfinished = attribute::GradientIndex(options.common.out).unfinished_warning();
  if (!unfinished.empty()) session.progress.note(unfinished);
  ordered_json result = index_json(request, outcome, checkpoint, text, options, session);
  if (check) result["batch_check"] = batch_check_json(*check);
  result["cost"] = cost_report(plan, seconds, folder_bytes(options.common.out));
  io::write_file(options.common.out + "/result.json", json_text(result));
  if (options.common.json) return print_json(result);
  const ordered_json& made = result["index"];
  if (options.common.quiet && outcome.dropped > 0) fmt::print("{}\n", attribute::dropped_sentence(outcome.dropped));
  fmt::print("{}", duplicates_sentence(outcome));
  fmt::print("{} of {} numbers in {}: {}\nAsk it: assay attribute {} --store {} --prompt … --completion …\n",
             format_counted(made["rows"].get<int64_t>(), "row"), format_count(made["columns"].get<int64_t>()),
             options.common.out, format_bytes(made["bytes"].get<int64_t>()), quoted_for_shell(options.model),
             quoted_for_shell(options.common.out));
}

}  // namespace assay::cli
