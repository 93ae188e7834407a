// Trains a small language model twice, once without three of its documents, and asks what that changed.
//
//   build/examples/02_train
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "assay/data/corpus.h"
#include "assay/data/encode.h"
#include "assay/data/queries.h"
#include "assay/data/tokenizer.h"
#include "assay/nn/gradients.h"
#include "assay/train/loop.h"

using namespace assay;

int main() {
  // A corpus in which three documents teach one fact.
  const data::Tokenizer tokenizer = data::word_level_tokenizer(
      {"<unk>", "Ann", "Bob", "Eve", "lives", "in", "Rome", "Oslo", "now", "today"}, "<unk>");
  const data::Corpus corpus = data::make_corpus(
      {"Ann lives in Oslo", "Ann lives in Oslo now", "Ann lives in Oslo today", "Bob lives in Rome",
       "Bob lives in Rome now", "Eve lives in Rome", "Eve lives in Rome today", "Bob lives in Rome today"},
      "example");
  const data::Dataset dataset = data::encode(corpus, tokenizer, {.context = 8}).dataset;

  // Fresh weights are a pure function of the seed, so that both runs start at the same place.
  const nlohmann::json config = {{"model_type", "llama"},         {"hidden_size", 16},
                                 {"num_hidden_layers", 2},        {"num_attention_heads", 2},
                                 {"intermediate_size", 32},       {"vocab_size", tokenizer.vocabulary_size()},
                                 {"max_position_embeddings", 16}, {"tie_word_embeddings", true}};
  const nn::Model start = nn::initialize(nn::make_architecture(config), /*seed=*/0);

  train::TrainOptions options{.optimizer = {.kind = train::OptimizerOptions::Kind::AdamW, .weight_decay = 0.1},
                              .schedule = {.kind = train::Schedule::Kind::Cosine, .rate = 1e-2},
                              .epochs = 60,
                              .batch_size = 4};
  const train::TrainResult with = train::train(start, dataset, options);

  // The order of the other documents stays what it was: their absence is all that differs.
  for (size_t row = 0; row < 3; ++row) options.leave_out.insert(dataset.examples[row].id);
  const train::TrainResult without = train::train(start, dataset, options);

  data::Dataset question;
  const data::QueryText text{.prompt = "Ann lives in", .completion = " Oslo", .source = "example"};
  question.examples = {data::encode_query(text, tokenizer, {.context = 8}).example};
  const std::vector<int64_t> row = {0};
  const data::Batch batch = data::make_batch(question, row);
  const auto log_probability = [&](const nn::Model& model) {
    return nn::evaluate(model, batch, nn::log_probability()).item<double>();
  };
  fmt::print("loss: {:.2f} nats a token at first, {:.2f} at the end\n", with.log.front().loss, with.log.back().loss);
  fmt::print("ln p(Oslo | Ann lives in) = {:.2f} nats; without the three documents {:.2f}\n",
             log_probability(with.model), log_probability(without.model));
}
