// A model of 1.3 billion parameters' geometry, random weights in bf16: it loads, speaks and is indexed within 20 GB,
// and the memory is what was planned. Three gigabytes of disk for the life of the test.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "assay/nn/architecture.h"
#include "assay/nn/checkpoint.h"
#include "assay/nn/model.h"
#include "tests/acceptance/program.h"
#include "tests/support/data.h"

namespace assay {
namespace {

using nlohmann::json;

constexpr double kMostBytes = 20e9;

class LargeModel : public testing::Test {
 protected:
  void SetUp() override {
    const std::string tokenizer = data_path("tokenizers/gpt2/tokenizer.json");
    if (tokenizer.empty()) GTEST_SKIP() << no_data("tokenizers/gpt2");
    const json config{{"architectures", {"GPTNeoXForCausalLM"}},
                      {"model_type", "gpt_neox"},
                      {"vocab_size", 50304},
                      {"hidden_size", 2048},
                      {"num_hidden_layers", 24},
                      {"num_attention_heads", 16},
                      {"intermediate_size", 8192},
                      {"max_position_embeddings", 2048},
                      {"rotary_pct", 0.25},
                      {"rotary_emb_base", 10000},
                      {"hidden_act", "gelu"},
                      {"layer_norm_eps", 1e-5},
                      {"use_parallel_residual", true},
                      {"attention_bias", true},
                      {"tie_word_embeddings", false},
                      {"torch_dtype", "bfloat16"},
                      {"bos_token_id", 0},
                      {"eos_token_id", 0}};
    nn::save_checkpoint(nn::initialize(nn::make_architecture(config), 0, at::kBFloat16), model_);
    std::filesystem::copy_file(tokenizer, model_ + "/tokenizer.json");
  }

  /// The cost of a command; its own words are checked on the way.
  json cost_of(std::vector<std::string> words) const {
    words.insert(words.end(), {"--dtype", "bf16", "--json", "--quiet"});
    const Outcome outcome = run_assay(words);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    const json result = json::parse(outcome.out, nullptr, false);
    EXPECT_EQ(result["dtype"], "bf16");
    return result["cost"];
  }

  void expect_planned(const json& cost, double parameters) const {
    const double planned = cost["planned"]["peak_bytes"], took = cost["actual"]["peak_bytes"];
    RecordProperty("planned", std::to_string(planned));
    RecordProperty("took", std::to_string(took));
    EXPECT_LT(took, kMostBytes);
    EXPECT_GT(took, 2 * parameters) << "the weights alone, two bytes each";
    EXPECT_NEAR(planned, took, 0.25 * took);
  }

  TemporaryFolder folder_;
  std::string model_ = folder_ / "model";
};

TEST_F(LargeModel, LoadsSpeaksAndIsIndexedAsPlanned) {
  const double parameters = 2 * 50304.0 * 2048 + 24 * 12 * 2048.0 * 2048;  // vectors left out
  ASSERT_GT(parameters, 1.3e9);
  EXPECT_GT(static_cast<double>(std::filesystem::file_size(model_ + "/model.safetensors")), 2 * parameters);

  const json spoken = cost_of({"generate", model_, "--prompt", "Once upon a time", "--max-tokens", "4"});
  EXPECT_LT(spoken["actual"]["peak_bytes"].get<double>(), 0.5 * kMostBytes);

  const std::string corpus = folder_.write("corpus.txt",
                                           "The river froze early that year.<|endoftext|>"
                                           "Nobody at the station knew when the train would come.<|endoftext|>"
                                           "A cat sat on the warm stones and watched the harbour.");
  expect_planned(cost_of({"index", model_, "--data", corpus, "--out", folder_ / "index", "--store-dtype", "bf16"}),
                 parameters);
  const json asked = cost_of({"attribute", model_, "--store", folder_ / "index", "--prompt", "The cat sat on the",
                              "--completion", " stones", "--trust", "no"});
  EXPECT_LT(asked["actual"]["peak_bytes"].get<double>(), kMostBytes);
}

}  // namespace
}  // namespace assay
