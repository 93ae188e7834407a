#include "cli/evaluation_view.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "assay/core/hash.h"
#include "assay/core/machine.h"
#include "assay/core/version.h"
#include "assay/report/escape.h"
#include "cli/page_facts.h"
#include "cli/result.h"

namespace assay::cli {
namespace {

constexpr size_t kShownAtEachEnd = 10;
constexpr size_t kDecodedTokens = 160;
constexpr size_t kShownCharacters = 320;

std::string file_name(const std::string& path) {
  const std::filesystem::path normal = std::filesystem::path(path).lexically_normal();
  return (normal.has_filename() ? normal : normal.parent_path()).filename().string();
}

report::ModelFacts evaluated_model(const EvaluateOptions& options, const nn::Checkpoint& checkpoint) {
  const nn::Architecture& architecture = checkpoint.model.architecture();
  const nn::Facts facts = architecture.facts();
  return {.name = file_name(checkpoint.path),
          .family = architecture.family(),
          .blocks = static_cast<int>(facts.blocks),
          .width = static_cast<int>(facts.width),
          .heads = static_cast<int>(facts.heads),
          .kv_heads = static_cast<int>(facts.key_value_heads),
          .vocabulary = static_cast<int>(facts.vocabulary),
          .parameters = checkpoint.model.parameters().count(),
          .dtype = to_string(options.common.precision)};
}

/// The text that the model was given, from its beginning: of a document that was cut or split its own part.
std::string beginning_of(const data::ExampleView& example, const EvaluatedText& text) {
  const size_t first = std::min<size_t>(text.loaded.encoded.adds_bos ? 1 : 0, example.tokens.size());
  const data::TokenView own = example.tokens.part(first, example.tokens.size() - first);
  std::string decoded = text.tokenizer.decode(own.part(0, std::min(kDecodedTokens, own.size())).to_vector());
  const std::string shown = report::shortened(decoded, kShownCharacters);
  if (shown.size() < decoded.size() || own.size() <= kDecodedTokens) return shown;
  size_t last = decoded.size();  // the last token may end inside a character
  while (last > 0 && (static_cast<unsigned char>(decoded[last - 1]) & 0xC0U) == 0x80U) --last;
  if (last > 0 && !report::code_point_at(decoded, last - 1).is_valid) decoded.resize(last - 1);
  return decoded + "…";
}

report::EvaluatedExample shown_example(const data::Dataset& dataset, const EvaluatedText* text, size_t index) {
  const data::ExampleView example = dataset.examples[index];
  report::EvaluatedExample shown{
      .index = static_cast<int64_t>(index), .id = hex64(example.id), .source = {}, .text = {}};
  if (text != nullptr) {
    shown.source = text->loaded.documents.source(text->loaded.encoded.document_of[index]);
    shown.text = beginning_of(example, *text);
  }
  return shown;
}

/// Examples with a target whose loss is a number, smallest loss per target first. Ties keep their order.
std::vector<size_t> easiest_first(const evaluate::Prediction& prediction) {
  std::vector<std::pair<double, size_t>> order;
  for (size_t i = 0; i < prediction.losses.size(); ++i) {
    if (prediction.targets[i] == 0 || !std::isfinite(prediction.losses[i])) continue;
    order.emplace_back(prediction.losses[i] / static_cast<double>(prediction.targets[i]), i);
  }
  std::sort(order.begin(), order.end());
  std::vector<size_t> indices;
  for (const auto& each : order) indices.push_back(each.second);
  return indices;
}

void add_examples(report::EvaluationView& view, const data::Dataset& dataset, const EvaluatedText* text,
                  const evaluate::Prediction& prediction) {
  const std::vector<size_t> order = easiest_first(prediction);
  const size_t worst = std::min(kShownAtEachEnd, (order.size() + 1) / 2);  // no example stands at both ends
  const size_t best = std::min(kShownAtEachEnd, order.size() - worst);
  for (size_t i = 0; i < worst; ++i) view.worst.push_back(shown_example(dataset, text, order[order.size() - 1 - i]));
  for (size_t i = 0; i < best; ++i) view.best.push_back(shown_example(dataset, text, order[i]));
}

report::Provenance evaluation_provenance(const nn::Checkpoint& checkpoint, const data::Dataset& dataset,
                                         const EvaluatedText* text, const Session& session, const Plan& plan,
                                         double seconds) {
  report::Provenance result;
  result.command = shell_line(session.invocation);
  result.rows = {{"Assay", "", fmt::format("{}, LibTorch {}", version_line(), ASSAY_TORCH_VERSION)},
                 {"Model", checkpoint.hash, fmt::format("{}, {}", checkpoint.path, checkpoint.format)},
                 {"Data", dataset.content_hash(), format_counted(dataset.size(), "example")}};
  if (text != nullptr) {
    result.rows.push_back({"Tokenizer", text->tokenizer.hash(),
                           text->tokenizer.description() + "; BOS: " + text->loaded.encoded.bos_reason});
  }
  result.rows.push_back({"Seed", std::to_string(session.invocation.common().seed), "nothing here is random"});
  result.rows.push_back({"Threads", std::to_string(at::get_num_threads()), processor().model});
  result.costs = cost_rows(plan, seconds);
  return result;
}

}  // namespace

report::EvaluationView evaluation_view(const EvaluateOptions& options, const nn::Checkpoint& checkpoint,
                                       const data::Dataset& dataset, const EvaluatedText* text,
                                       const evaluate::Prediction& prediction, const Session& session, const Plan& plan,
                                       double seconds) {
  const nn::Architecture& architecture = checkpoint.model.architecture();
  const nn::Facts facts = architecture.facts();
  const bool is_choice = architecture.output_kind() == nn::OutputKind::Categorical;
  report::EvaluationView view;
  view.model = evaluated_model(options, checkpoint);
  view.data = options.data.data == "-" ? "standard input" : file_name(options.data.data);
  if (text != nullptr) {
    view.tokens = dataset.tokens();
    view.documents_cut = text->loaded.encoded.tokens_cut > 0 ? text->loaded.encoded.long_documents : 0;
    view.context = static_cast<int>(text->context);
  } else {
    view.noun = view.target = {"example", "examples"};
  }
  if (is_choice) {
    view.perplexity = prediction.perplexity();
    view.choices = facts.vocabulary;
  } else {
    view.unit = "half squared error";
  }
  if (is_choice && text == nullptr && dataset.size() > 0) {
    view.accuracy = static_cast<double>(prediction.correct) / static_cast<double>(dataset.size());
  }
  view.loss = prediction.total_loss();
  view.loss_per_target = prediction.loss_per_target();
  view.losses = prediction.losses;
  view.targets = prediction.targets;
  add_examples(view, dataset, text, prediction);
  view.date = today();
  view.provenance = evaluation_provenance(checkpoint, dataset, text, session, plan, seconds);
  return view;
}

}  // namespace assay::cli
