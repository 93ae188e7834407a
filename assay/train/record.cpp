#include "assay/train/record.h"

#include <array>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "assay/core/near_match.h"
#include "assay/core/version.h"
#include "assay/io/atomic_file.h"
#include "assay/io/json.h"

namespace assay::train {
namespace {

constexpr const char* kFile = "/training.json";

uint64_t seed_of(const io::JsonObject& json) {
  const std::string text = json.text("seed");
  uint64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (error != std::errc() || end != text.data() + text.size()) json.refuse("seed", "a whole number as text");
  return seed;
}

}  // namespace

const char* to_string(Reduction reduction) {
  return reduction == Reduction::MeanOverTokens ? "mean_over_tokens" : "mean_over_examples";
}

Reduction reduction_named(std::string_view name) {
  if (name == "mean_over_tokens") return Reduction::MeanOverTokens;
  if (name == "mean_over_examples") return Reduction::MeanOverExamples;
  const std::array<std::string, 2> known = {"mean_over_tokens", "mean_over_examples"};
  throw Error(ErrorKind::Usage,
              "choosing a reduction: it must be mean_over_tokens or mean_over_examples, but it is \"" +
                  std::string(name) + "\"" + closest_clause(name, known));
}

TrainingRecord record_of(const Trainer& trainer) {
  const TrainOptions& options = trainer.options();
  TrainingRecord record{.step = trainer.step(),
                        .total_steps = trainer.total_steps(),
                        .steps_per_epoch = trainer.steps_per_epoch(),
                        .optimizer = options.optimizer,
                        .schedule = options.schedule,
                        .batch_size = options.batch_size,
                        .clip_norm = options.clip_norm,
                        .seed = options.seed,
                        .reduction = options.reduction};
  if (trainer.step() > 0) record.rate = rate_at(options.schedule, trainer.step() - 1, trainer.total_steps());
  std::vector<int64_t> kept;
  for (int64_t row = 0; row < trainer.dataset().size(); ++row)
    if (!options.leave_out.contains(trainer.dataset().id(row))) kept.push_back(row);
  record.corpus_hash = data::subset(trainer.dataset(), kept).content_hash();
  record.examples = std::ssize(kept);
  record.left_out = trainer.dataset().size() - record.examples;
  record.parameters_hash = trainer.model().parameters().hash();
  return record;
}

nlohmann::ordered_json to_json(const TrainingRecord& record) {
  return {{"assay", version()},
          {"run", record.run},
          {"step", record.step},
          {"total_steps", record.total_steps},
          {"steps_per_epoch", record.steps_per_epoch},
          {"rate", record.rate},
          {"schedule",
           {{"name", to_string(record.schedule.kind)},
            {"rate", record.schedule.rate},
            {"warmup_steps", record.schedule.warmup_steps},
            {"final_fraction", record.schedule.final_fraction},
            {"drop_at", record.schedule.drop_at}}},
          {"optimizer",
           {{"name", to_string(record.optimizer.kind)},
            {"weight_decay", record.optimizer.weight_decay},
            {"vectors_decay", record.optimizer.vectors_decay},
            {"momentum", record.optimizer.momentum},
            {"beta1", record.optimizer.beta1},
            {"beta2", record.optimizer.beta2},
            {"epsilon", record.optimizer.epsilon}}},
          {"batch", record.batch_size},
          {"clip", record.clip_norm},
          {"seed", std::to_string(record.seed)},  // as text: JSON readers may round 64-bit integers
          {"reduction", to_string(record.reduction)},
          {"corpus", {{"hash", record.corpus_hash}, {"examples", record.examples}, {"left_out", record.left_out}}},
          {"parameters", record.parameters_hash}};
}

void write_record(const TrainingRecord& record, const std::string& folder) {
  io::write_file(folder + kFile, to_json(record).dump(2) + "\n");
}

std::optional<TrainingRecord> read_record(const std::string& folder) {
  if (!std::filesystem::exists(folder + kFile)) return std::nullopt;
  const io::JsonObject json = io::read_json_object(folder + kFile, ErrorKind::Data);
  const io::JsonObject schedule = json.object("schedule"), optimizer = json.object("optimizer");
  const io::JsonObject corpus = json.object("corpus");
  return TrainingRecord{
      .step = json.integer("step", 0),
      .total_steps = json.positive("total_steps"),
      .steps_per_epoch = json.positive("steps_per_epoch"),
      .rate = json.real("rate"),
      .optimizer = {.kind = optimizer_named(optimizer.text("name")),
                    .weight_decay = optimizer.real("weight_decay"),
                    .vectors_decay = optimizer.boolean("vectors_decay"),
                    .momentum = optimizer.real("momentum"),
                    .beta1 = optimizer.real("beta1"),
                    .beta2 = optimizer.real("beta2"),
                    .epsilon = optimizer.real("epsilon")},
      .schedule = {.kind = schedule_named(schedule.text("name")),
                   .rate = schedule.real("rate"),
                   .warmup_steps = schedule.integer("warmup_steps", 0),
                   .final_fraction = schedule.real("final_fraction"),
                   .drop_at = schedule.real("drop_at")},
      .batch_size = json.integer("batch", 0),
      .clip_norm = json.real("clip"),
      .seed = seed_of(json),
      .reduction = reduction_named(json.text("reduction")),
      .corpus_hash = corpus.text("hash"),
      .examples = corpus.positive("examples"),
      .left_out = corpus.integer("left_out", 0),
      .parameters_hash = json.text("parameters"),
      .run = json.text("run"),
  };
}

}  // namespace assay::train
