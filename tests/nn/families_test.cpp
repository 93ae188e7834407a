// Every family against a forward pass in plain float64 loops, and the mistakes that are easily made with each.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "assay/core/twin.h"
#include "tests/nn/decoders.h"
#include "tests/nn/scalar_decoder.h"
#include "tests/support/errors.h"

namespace assay::nn {
namespace {

double forward_error(const Model& model) {
  const std::vector<int32_t> tokens{3, 17, 28, 0, 5, 5, 11, 20, 2, 9, 14, 1};
  const at::Tensor logits = model.run(data::prompt_batch(tokens)).output.logits().squeeze(0).to(at::kDouble);
  const scalar::Rows expected = scalar::forward(model, tokens);
  double largest = 0;
  for (size_t t = 0; t < expected.size(); ++t) {
    for (size_t v = 0; v < expected[t].size(); ++v) {
      const double found = logits[static_cast<int64_t>(t)][static_cast<int64_t>(v)].item<double>();
      largest = std::max(largest, std::abs(expected[t][v] - found));
    }
  }
  return largest;
}

class EveryFamily : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryFamily, LogitsEqualAScalarForwardPass) {
  const Model model = tiny_decoder(GetParam());
  EXPECT_LT(forward_error(model), 1e-11);  // float64: a few hundred roundings of numbers below 100
  EXPECT_LT(forward_error(model.with(model.parameters().to(at::kFloat))), 1e-4);
  const at::Tensor logits = model.run(whole(random_texts({40}))).output.logits();
  EXPECT_GT(logits.std().item<double>(), 1) << "too even for a wrong activation to show";
}

INSTANTIATE_TEST_SUITE_P(Families, EveryFamily, ::testing::ValuesIn(decoder_variants()), kNameOfVariant);

TEST(Families, TheMistakesThatAreEasilyMadeAreCaught) {
  const std::vector<std::pair<const char*, std::vector<const char*>>> mistakes{
      {"llama", {"kernel.rotary_adjacent_pairs", "kernel.gate_without_silu", "kernel.groups_interleaved"}},
      {"llama 3", {"kernel.llama3_without_ramp"}},
      {"qwen2, windows", {"nn.window_ignored"}},
      {"gpt2", {"nn.qkv_rows_in_the_other_order", "nn.square_weights_not_transposed", "nn.gelu_forms_swapped"}},
      {"gpt_neo", {"nn.window_ignored", "kernel.attention_scale_ignored", "nn.gelu_forms_swapped"}},
      {"gpt_neox",
       {"nn.qkv_rows_in_the_other_order", "nn.parallel_block_in_sequence", "nn.gelu_forms_swapped",
        "kernel.rotary_adjacent_pairs"}}};
  for (const auto& [family, twins] : mistakes) {
    const Model model = tiny_decoder(family);
    for (const char* twin : twins) {
      const ScopedTwin on(twin);
      const Model again(make_architecture(decoder_config(family)), model.parameters());  // some mistakes are made here
      EXPECT_GT(forward_error(again), 1e-3) << family << ": " << twin;
    }
  }
}

TEST(Families, SettingsThatNoModelHasAreNamed) {
  const auto refusal = [](const std::string& name, const char* key, const nlohmann::json& value) {
    nlohmann::json config = decoder_config(name);
    config[key] = value;
    return error_of([&] { make_architecture(config); });
  };
  EXPECT_THAT(refusal("gpt2", "n_head", 5), Refusal(ErrorKind::Model, "\"n_embd\" must be a multiple of the 5 heads"));
  EXPECT_THAT(refusal("gpt2", "activation_function", "swish"), Refusal(ErrorKind::Model, "activation_function"));
  EXPECT_THAT(refusal("gpt2", "add_cross_attention", true), Refusal(ErrorKind::Model, "add_cross_attention"));
  EXPECT_THAT(refusal("gpt_neo", "attention_types", {{{"global", "local"}, 3}}),
              Refusal(ErrorKind::Model, "such that 2 blocks have a kind, and 6 have"));
  EXPECT_THAT(refusal("gpt_neo", "attention_types", {{{"global", "lokal"}, 1}}),
              Refusal(ErrorKind::Model, "made of \"global\" and \"local\""));
  EXPECT_THAT(refusal("gpt_neo", "attention_types", "local"),
              Refusal(ErrorKind::Model, "a list of [kinds, how often]"));
  EXPECT_THAT(refusal("gpt_neo", "attention_types", {{{"global", "local"}, 1'000'000'000}}),
              Refusal(ErrorKind::Model, "a list of [kinds, how often]"));
  EXPECT_THAT(refusal("gpt_neox", "rotary_pct", 0.1), Refusal(ErrorKind::Model, "rotary_pct"));
  EXPECT_THAT(refusal("gpt_neox", "rotary_pct", -2.0), Refusal(ErrorKind::Model, "rotary_pct"));
  EXPECT_THAT(refusal("qwen2, windows", "sliding_window", nullptr), Refusal(ErrorKind::Model, "sliding_window"));
  EXPECT_THAT(refusal("qwen2, windows", "max_window_layers", -1),
              Refusal(ErrorKind::Model, "\"max_window_layers\" must be an integer that is not negative, but it is -1"));
  EXPECT_THAT(refusal("qwen2, windows", "layer_types", {"full_attention"}), Refusal(ErrorKind::Model, "layer_types"));
  EXPECT_THAT(refusal("llama", "rope_scaling", {{"rope_type", "yarn"}, {"factor", 4.0}}),
              Refusal(ErrorKind::Model, "\"rope_scaling\" must be absent or of type default, linear or llama3"));
  EXPECT_THAT(refusal("llama", "rope_scaling", {{"rope_type", "yarn"}, {"factor", 4.0}}),
              Refusal(ErrorKind::Model, "; take a model with one of these"));
  EXPECT_THAT(refusal("llama", "rope_scaling", {{"rope_type", "factors"}, {"factors", {1.0, 2.0}}}),
              Refusal(ErrorKind::Model, "a list of 4 positive numbers"));
  nlohmann::json rope = decoder_config("llama 3").at("rope_scaling");
  rope["high_freq_factor"] = 1.0;
  EXPECT_THAT(refusal("llama", "rope_scaling", rope), Refusal(ErrorKind::Model, "more than low_freq_factor"));
}

// A negative count that is taken for a large one means another model.
TEST(Families, NumbersBelowWhatTheyCountAreRefused) {
  const std::vector<std::pair<const char*, std::vector<const char*>>> counts{
      {"llama",
       {"hidden_size", "intermediate_size", "num_hidden_layers", "vocab_size", "num_attention_heads",
        "num_key_value_heads", "max_position_embeddings", "head_dim"}},
      {"qwen2, windows", {"max_window_layers", "sliding_window", "num_key_value_heads"}},
      {"gpt2", {"n_embd", "n_head", "n_layer", "n_positions", "n_inner", "vocab_size"}},
      {"gpt_neo",
       {"hidden_size", "num_heads", "num_layers", "intermediate_size", "window_size", "max_position_embeddings",
        "vocab_size"}},
      {"gpt_neox",
       {"hidden_size", "num_attention_heads", "num_hidden_layers", "intermediate_size", "max_position_embeddings",
        "vocab_size"}}};
  for (const auto& [family, keys] : counts) {
    for (const char* key : keys) {
      for (const int64_t wrong : {int64_t{-1}, int64_t{-2}, std::numeric_limits<int64_t>::min()}) {
        nlohmann::json config = decoder_config(family);
        config[key] = wrong;
        EXPECT_THAT(error_of([&] { make_architecture(config); }),
                    Refusal(ErrorKind::Model, std::string("\"") + key + "\" must be"))
            << family;
      }
    }
  }
  EXPECT_THAT(error_of([] {
                nlohmann::json config = decoder_config("gpt_neo");
                config["attention_types"] = {{{"global", "local"}, -1}};
                make_architecture(config);
              }),
              Refusal(ErrorKind::Model, "a list of [kinds, how often]"));
}

TEST(Families, TinyStoriesModelsAreKnownByTheirSizes) {
  nlohmann::json config = decoder_config("gpt_neo");
  const auto trained = [&] { return make_architecture(config)->facts().trained; };
  EXPECT_EQ(trained(), 0);
  config.update({{"max_position_embeddings", 2048}, {"vocab_size", 50257}, {"window_size", 256}});
  EXPECT_EQ(trained(), 512);
  {
    const ScopedTwin twin("nn.tiny_stories_unknown");
    EXPECT_EQ(trained(), 0);
  }
  config["num_layers"] = 12;  // GPT-Neo of 125 million
  config["attention_types"] = {{{"global", "local"}, 6}};
  EXPECT_EQ(trained(), 0);
}

TEST(Families, NestedRotarySettingsMeanTheSame) {
  nlohmann::json nested = decoder_config("llama 3");
  nested["rope_parameters"] = nested.at("rope_scaling");
  nested["rope_parameters"]["rope_theta"] = 10000.0;
  nested.erase("rope_scaling");
  nested.erase("rope_theta");
  const Model plain = tiny_decoder("llama 3");
  const Model same(make_architecture(nested), plain.parameters());
  const data::Batch batch = whole(random_texts({20}));
  EXPECT_TRUE(plain.run(batch).output.logits().equal(same.run(batch).output.logits()));

  nlohmann::json neox = decoder_config("gpt_neox");
  neox["rope_parameters"] = {{"rope_theta", 10000.0}, {"partial_rotary_factor", 0.5}, {"rope_type", "default"}};
  neox.erase("rotary_pct");
  neox.erase("rotary_emb_base");
  const Model half = tiny_decoder("gpt_neox");
  EXPECT_TRUE(half.run(batch).output.logits().equal(
      Model(make_architecture(neox), half.parameters()).run(batch).output.logits()));
}

TEST(Families, TextsBeyondTheLearnedPositionsAreRefused) {
  for (const char* name : {"gpt2", "gpt_neo"}) {
    const Model model = tiny_decoder(name);
    EXPECT_NO_THROW(model.run(whole(random_texts({65}))));  // 64 positions: the last token is a target only
    EXPECT_THAT(error_of([&] { model.run(whole(random_texts({66}))); }),
                Refusal(ErrorKind::Usage, "a text may have at most 64 tokens"));
  }
}

}  // namespace
}  // namespace assay::nn
