// assay evaluate: losses of a model on a corpus, or on arrays for a model without text.
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <optional>

#include "assay/core/hash.h"
#include "assay/core/version.h"
#include "assay/data/arrays.h"
#include "assay/evaluate/prediction.h"
#include "assay/kernel/ceilings.h"
#include "cli/commands.h"
#include "cli/evaluation_view.h"
#include "cli/loading.h"
#include "cli/planning.h"
#include "cli/result.h"
#include "cli/result_folder.h"

namespace assay::cli {
namespace {

using nlohmann::ordered_json;

/// A dataset, and where it came from texts, these.
struct EvaluatedExamples {
  data::Dataset dataset;
  std::optional<EvaluatedText> text;
};

EvaluatedExamples load_examples(const EvaluateOptions& options, const nn::Architecture& architecture,
                                Progress& progress) {
  const nn::Facts facts = architecture.facts();
  if (facts.features > 0) {
    const bool is_classifier = architecture.output_kind() == nn::OutputKind::Categorical;
    return {data::read_arrays(options.data.data,
                              {.features = facts.features,
                               .classes = is_classifier ? facts.vocabulary : 0,
                               .values = is_classifier ? 0 : facts.vocabulary},
                              options.data.limit),
            std::nullopt};
  }
  const data::Tokenizer tokenizer = data::load_tokenizer(options.model);
  data::require_tokenizer_fits(tokenizer, facts.vocabulary);
  const int64_t context = context_of(options.data, architecture);
  EvaluatedText text{tokenizer, load_text(options.data, tokenizer, context, progress), context};
  data::require_targets(text.loaded.encoded, shown_name(options.data));
  if (const std::string warning = beyond_training(architecture, text.loaded.encoded.dataset); !warning.empty())
    progress.note(warning);
  data::Dataset dataset = std::move(text.loaded.encoded.dataset);
  return {std::move(dataset), std::move(text)};
}

/// Everything that decides the losses.
std::string identity_of(const EvaluateOptions& options, const nn::Checkpoint& checkpoint,
                        const data::Dataset& dataset) {
  Hasher hasher;
  hasher.add("evaluate").add(version()).add(checkpoint.hash).add(dataset.content_hash());
  hasher.add(static_cast<uint64_t>(options.common.precision));
  return hasher.digest128();
}

bool is_classifier_of_arrays(const nn::Architecture& architecture) {
  return architecture.facts().features > 0 && architecture.output_kind() == nn::OutputKind::Categorical;
}

ordered_json as_json(const Session& session, const nn::Checkpoint& checkpoint, const data::Dataset& dataset,
                     const EvaluatedText* text, const evaluate::Prediction& prediction) {
  ordered_json result = result_head(session.invocation);
  const nn::Architecture& architecture = checkpoint.model.architecture();
  const bool is_regression = architecture.output_kind() == nn::OutputKind::Gaussian;
  result["model"] = {{"path", checkpoint.path}, {"hash", checkpoint.hash}};
  result["data"] = {{"examples", dataset.size()}, {"tokens", dataset.tokens()}, {"hash", dataset.content_hash()}};
  if (text != nullptr) result["data"]["corpus"] = data::to_json(text->loaded.manifest);
  result["unit"] = is_regression ? "half squared error" : "nats";
  result["sign"] = "lower is better";
  result["loss"] = prediction.total_loss();
  result["targets"] = prediction.total_targets();
  result["loss_per_target"] = prediction.loss_per_target();
  if (!is_regression) result["perplexity"] = prediction.perplexity();
  if (is_classifier_of_arrays(architecture)) {
    result["accuracy"] = static_cast<double>(prediction.correct) / static_cast<double>(dataset.size());
  }
  result["examples"] = ordered_json::array();
  for (size_t i = 0; i < prediction.losses.size(); ++i) {
    result["examples"].push_back({{"id", hex64(dataset.id(static_cast<int64_t>(i)))},
                                  {"loss", prediction.losses[i]},
                                  {"targets", prediction.targets[i]}});
  }
  return result;
}

void print_summary(const ordered_json& result) {
  const auto line = [](const char* name, const std::string& value) { fmt::print("  {:<18}{}\n", name, value); };
  line("examples", format_count(result["data"]["examples"].get<int64_t>()));
  line("targets", format_count(result["targets"].get<int64_t>()));
  line("loss", fmt::format("{:.4f} {}", result["loss"].get<double>(), result["unit"].get<std::string>()));
  line("loss per target", fmt::format("{:.5f}", result["loss_per_target"].get<double>()));
  if (result.contains("perplexity")) line("perplexity", fmt::format("{:.4f}", result["perplexity"].get<double>()));
  if (result.contains("accuracy")) line("accuracy", fmt::format("{:.4f}", result["accuracy"].get<double>()));
}

}  // namespace

void run(const EvaluateOptions& options, Session& session) {
  const nn::Checkpoint checkpoint = nn::load_checkpoint(options.model, dtype_of(options.common));
  const EvaluatedExamples examples = load_examples(options, checkpoint.model.architecture(), session.progress);
  const data::Dataset& dataset = examples.dataset;
  Plan plan(kernel::machine_ceilings(cache_folder("")));
  plan.add("evaluate", evaluate::prediction_cost(checkpoint.model, dataset));
  if (stops_at_plan(session, plan, shorter_by_limit(plan, dataset.size()))) return;

  const std::string identity = identity_of(options, checkpoint, dataset);
  const auto folder = claim_out(session, identity);
  const auto started = std::chrono::steady_clock::now();
  const evaluate::Prediction prediction = [&] {
    curvature::Workspace workspace =
        folder ? curvature::Workspace(folder->file(kUnfinished), identity, session.progress) : curvature::Workspace();
    return evaluate::predict(checkpoint.model, dataset, workspace, session.progress);
  }();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  const EvaluatedText* text = examples.text ? &*examples.text : nullptr;
  ordered_json result = as_json(session, checkpoint, dataset, text, prediction);
  if (folder) {
    folder->write("report.html", report::evaluation_report(evaluation_view(options, checkpoint, dataset, text,
                                                                           prediction, session, plan, seconds)));
  }
  result["cost"] = cost_report(plan, seconds, folder ? folder->bytes() : 0);
  if (folder) {
    folder->write_result(result);
    std::filesystem::remove_all(folder->file(kUnfinished));
  }
  evaluate::require_finite(prediction);  // last: the page says which losses are no numbers
  if (options.common.json) return print_json(result);
  print_summary(result);
}

}  // namespace assay::cli
