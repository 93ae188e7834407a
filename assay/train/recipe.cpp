#include "assay/train/recipe.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include "assay/core/error.h"
#include "assay/data/token_shards.h"
#include "assay/data/tokenized_corpus.h"
#include "assay/io/toml.h"
#include "assay/nn/checkpoint.h"
#include "assay/train/order.h"
#include "assay/train/record.h"

namespace assay::train {
namespace {

const std::array<std::string, 2> kOptimizers = {"adamw", "sgd"};
const std::array<std::string, 4> kSchedules = {"cosine", "linear", "constant", "drop"};
const std::array<std::string, 2> kReductions = {"mean_over_tokens", "mean_over_examples"};
const std::array<std::string, 3> kLongTexts = {"cut", "split", "refuse"};
const std::array<std::string, 3> kBosPolicies = {"auto", "yes", "no"};

constexpr io::IntegerRange kCount = {.least = 0};
constexpr io::RealRange kNotNegative = {.least = 0};
constexpr io::RealRange kFraction = {.least = 0, .most = 1};
constexpr io::RealRange kBelowOne = {.least = 0, .most = 0.9999999999};
constexpr int64_t kCheckpointsByDefault = 10;

std::string beside(const std::string& recipe, const std::string& path) {
  const std::filesystem::path given(path);
  if (path.empty() || given.is_absolute()) return path;
  return (std::filesystem::path(recipe).parent_path() / given).string();
}

void read_model(const io::Recipe& table, Recipe& recipe) {
  recipe.from = beside(recipe.name, table.text_or("from", ""));
  if (!recipe.from.empty()) return;
  recipe.initial_seed = static_cast<uint64_t>(table.integer_or("seed", 0, kCount));
  nlohmann::json& config = recipe.config;
  config = {{"model_type", table.text("family")},
            {"hidden_size", table.integer("width", {.least = 1})},
            {"num_hidden_layers", table.integer("blocks", {.least = 1})},
            {"num_attention_heads", table.integer("heads", {.least = 1})},
            {"intermediate_size", table.integer("mlp_width", {.least = 1})},
            {"max_position_embeddings", table.integer("context", {.least = 2})},
            {"tie_word_embeddings", table.boolean_or("tied_head", true)},
            {"rms_norm_eps", table.real_or("epsilon", 1e-5, {.least = 0, .above_least = true})},
            {"rope_theta", table.real_or("rotary_base", 10000, {.least = 0, .above_least = true})},
            {"initializer_range", table.real_or("deviation", 0.02, kNotNegative)}};
  config["num_key_value_heads"] = table.integer_or("key_value_heads", config["num_attention_heads"], {.least = 1});
}

template <class Enum, size_t N>
Enum choice(const io::Recipe& table, const char* key, const std::array<std::string, N>& names,
            const std::array<Enum, N>& values) {
  const std::string chosen = table.choice_or(key, names[0], names);
  for (size_t i = 0; i < N; ++i) {
    if (names[i] == chosen) return values[i];
  }
  ASSAY_ASSERT(false);
}

void read_text(const io::Recipe& table, Recipe& recipe) {
  TextSource& text = recipe.text;
  text.path = beside(recipe.name, table.text("path"));
  const bool is_fresh = recipe.from.empty();
  text.tokenizer = beside(recipe.name, is_fresh ? table.text("tokenizer") : table.text_or("tokenizer", ""));
  text.corpus.separator = table.text_or("separator", text.corpus.separator);
  text.corpus.field = table.text_or("field", text.corpus.field);
  text.corpus.limit = table.integer_or("limit", 0, kCount);
  text.encode.context = table.integer_or("context", 0, kCount);
  text.encode.long_texts = choice<data::LongTexts, 3>(
      table, "long", kLongTexts, {data::LongTexts::Cut, data::LongTexts::Split, data::LongTexts::Refuse});
  text.encode.bos = choice<data::BosPolicy, 3>(table, "bos", kBosPolicies,
                                               {data::BosPolicy::Auto, data::BosPolicy::Yes, data::BosPolicy::No});
  if (table.has("leave_out")) text.leave_out = table.integers("leave_out", kCount);
}

OptimizerOptions read_optimizer(const io::Recipe& table) {
  OptimizerOptions options;
  options.kind = optimizer_named(table.choice_or("name", kOptimizers[0], kOptimizers));
  options.weight_decay = table.real_or("weight_decay", 0, kNotNegative);
  options.vectors_decay = table.boolean_or("vectors_decay", false);
  if (options.kind == OptimizerOptions::Kind::Sgd) {
    options.momentum = table.real_or("momentum", options.momentum, kBelowOne);
    return options;
  }
  options.beta1 = table.real_or("beta1", options.beta1, kBelowOne);
  options.beta2 = table.real_or("beta2", options.beta2, kBelowOne);
  options.epsilon = table.real_or("epsilon", options.epsilon, kNotNegative);
  return options;
}

Schedule read_schedule(const io::Recipe& table) {
  Schedule schedule;
  schedule.kind = schedule_named(table.choice_or("name", kSchedules[0], kSchedules));
  schedule.rate = table.real("rate", kNotNegative);
  schedule.warmup_steps = table.integer_or("warmup_steps", 0, kCount);
  if (schedule.kind != Schedule::Kind::Constant) {
    schedule.final_fraction = table.real_or("final_fraction", 0, kFraction);
  }
  if (schedule.kind == Schedule::Kind::Drop) schedule.drop_at = table.real_or("drop_at", schedule.drop_at, kFraction);
  return schedule;
}

void read_train(const io::Recipe& table, TrainOptions& options) {
  if (table.has("epochs") && table.has("steps"))
    table.refuse("steps", "absent where epochs are given: one of them decides");
  options.steps = table.integer_or("steps", 0, kCount);
  options.epochs = options.steps > 0 ? 0 : table.integer("epochs", {.least = 1});
  options.batch_size = table.integer_or("batch", options.batch_size, {.least = 1});
  options.clip_norm = table.real_or("clip", 0, kNotNegative);
  options.seed = static_cast<uint64_t>(table.integer_or("seed", 0, kCount));
  options.reduction = reduction_named(table.choice_or("reduction", kReductions[0], kReductions));
  options.checkpoint_every = table.integer_or("checkpoint_every", -1, kCount);
}

nn::Model starting_model(const Recipe& recipe, const data::Tokenizer& tokenizer, at::ScalarType dtype) {
  if (!recipe.from.empty()) return nn::load_checkpoint(recipe.from, dtype).model;
  nlohmann::json config = recipe.config;
  config["vocab_size"] = tokenizer.vocabulary_size();
  const io::Source source{
      .name = recipe.name, .kind = ErrorKind::Usage, .first_line = 1, .advice = "correct [model] in the recipe"};
  return nn::initialize(nn::make_architecture(config, source), recipe.initial_seed, dtype);
}

/// Tokens of the longest example: what the recipe asks for within the model's own; else what token shards have.
int64_t context_of(const Recipe& recipe, int64_t most) {
  if (recipe.text.encode.context > 0) return std::min(recipe.text.encode.context, most);
  const std::string shards = data::token_shards_at(recipe.text.path);
  const int64_t context = shards.empty() ? most : data::context_of_shards(shards);
  if (context <= most) return context;
  throw Error(ErrorKind::Data, "preparing \"" + recipe.name + "\": the token shards in \"" + shards +
                                   "\" must be of a context within the model's " + std::to_string(most) +
                                   " tokens, but they were made for one of " + std::to_string(context) +
                                   "; tokenize the corpus again with --context " + std::to_string(most));
}

}  // namespace

Recipe read_recipe(const std::string& path) {
  const io::Recipe file = io::Recipe::read(path);
  Recipe recipe;
  recipe.name = path;
  read_model(file.table("model"), recipe);
  read_text(file.table("data"), recipe);
  recipe.options.optimizer = read_optimizer(file.table("optimizer"));
  recipe.options.schedule = read_schedule(file.table("schedule"));
  read_train(file.table("train"), recipe.options);
  recipe.output = beside(recipe.name, file.table("output").text_or("folder", ""));
  file.refuse_unread();
  return recipe;
}

PreparedRun prepare(const Recipe& recipe, at::ScalarType dtype) {
  if (dtype == at::kBFloat16) {
    throw Error(ErrorKind::Usage, "preparing \"" + recipe.name +
                                      "\": training needs weights of fp32 or fp64, because small steps are lost in the "
                                      "8 bits of bf16, but --dtype bf16 was given; train in fp32 and read the result "
                                      "with --dtype bf16");
  }
  data::Tokenizer tokenizer = data::load_tokenizer(recipe.text.tokenizer.empty() ? recipe.from : recipe.text.tokenizer);
  nn::Model start = starting_model(recipe, tokenizer, dtype);
  data::require_tokenizer_fits(tokenizer, start.architecture().facts().vocabulary);
  data::EncodeOptions encode = recipe.text.encode;
  encode.context = context_of(recipe, start.architecture().facts().context);
  data::TokenizedCorpus text = data::tokenize_corpus(recipe.text.path, recipe.text.corpus, tokenizer, encode);
  const data::EncodedCorpus& corpus = text.encoded;
  data::require_targets(corpus, recipe.text.path);
  TrainOptions options = recipe.options;
  for (const int64_t row : recipe.text.leave_out) {
    if (row >= corpus.documents) {
      throw Error(ErrorKind::Usage, "preparing \"" + recipe.name +
                                        "\": data.leave_out must hold rows below the corpus' " +
                                        std::to_string(corpus.documents) + " documents, but it holds " +
                                        std::to_string(row) + "; correct data.leave_out");
    }
  }
  const std::set<int64_t> left_out(recipe.text.leave_out.begin(), recipe.text.leave_out.end());
  for (size_t i = 0; i < corpus.document_of.size(); ++i) {
    if (left_out.contains(corpus.document_of[i])) options.leave_out.insert(corpus.dataset.examples[i].id);
  }
  if (options.checkpoint_every < 0) {
    const int64_t examples =
        std::max<int64_t>(1, corpus.dataset.size() - static_cast<int64_t>(options.leave_out.size()));
    const int64_t by_epochs = options.epochs * steps_per_epoch(examples, options.batch_size);
    const int64_t total = options.steps > 0 ? options.steps : by_epochs;
    options.checkpoint_every = std::max<int64_t>(1, (total + kCheckpointsByDefault - 1) / kCheckpointsByDefault);
  }
  return {std::move(start), std::move(tokenizer), std::move(text.encoded), std::move(options),
          std::move(text.manifest)};
}

}  // namespace assay::train
