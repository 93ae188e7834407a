// Models in GGUF files, written here as llama.cpp's converter writes them.
#include "assay/nn/gguf_model.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <regex>

#include "assay/core/twin.h"
#include "assay/nn/checkpoint.h"
#include "tests/nn/decoders.h"
#include "tests/support/errors.h"
#include "tests/support/gguf_writer.h"
#include "tests/support/temporary_folder.h"

namespace assay::nn {
namespace {

std::string float_bytes(const at::Tensor& tensor) {
  const at::Tensor numbers = tensor.to(at::kFloat).contiguous();
  return {static_cast<const char*>(numbers.const_data_ptr()), numbers.nbytes()};
}

void add_tensor(GgufWriter& file, const std::string& name, const at::Tensor& tensor) {
  std::vector<uint64_t> shape;
  for (const int64_t size : tensor.sizes()) shape.push_back(static_cast<uint64_t>(size));
  file.tensor(name, shape, 0, float_bytes(tensor));
}

std::string converted_name(std::string name) {
  const std::vector<std::pair<const char*, const char*>> rules{
      {"^(model|transformer|gpt_neox)\\.", ""},
      {"^(layers|h)\\.", "blk."},
      {"^(embed_tokens|wte|embed_in)\\.", "token_embd."},
      {"^wpe\\.", "position_embd."},
      {"^(norm|ln_f|final_layer_norm)\\.", "output_norm."},
      {"^(lm_head|embed_out)\\.", "output."},
      {"\\.(input_layernorm|ln_1)\\.", ".attn_norm."},
      {"\\.(post_attention_layernorm|ln_2)\\.", ".ffn_norm."},
      {"\\.self_attn\\.([qkv])_proj\\.", ".attn_$1."},
      {"\\.(self_attn\\.o_proj|attn\\.c_proj|attention\\.dense)\\.", ".attn_output."},
      {"\\.(attn\\.c_attn|attention\\.query_key_value)\\.", ".attn_qkv."},
      {"\\.mlp\\.gate_proj\\.", ".ffn_gate."},
      {"\\.mlp\\.(up_proj|c_fc|dense_h_to_4h)\\.", ".ffn_up."},
      {"\\.mlp\\.(down_proj|c_proj|dense_4h_to_h)\\.", ".ffn_down."}};
  for (const auto& [pattern, replacement] : rules) name = std::regex_replace(name, std::regex(pattern), replacement);
  return name;
}

at::Tensor converted(const std::string& family, const std::string& name, const at::Tensor& tensor, const Facts& facts) {
  const auto is = [&](const char* part) { return name.find(part) != std::string::npos; };
  if (family == "llama" && (is("attn_q.") || is("attn_k."))) {
    const int64_t heads = is("attn_q.") ? facts.heads : facts.key_value_heads;
    return tensor.view({heads, 2, facts.head_width / 2, -1}).transpose(1, 2).reshape(tensor.sizes());
  }
  if (family == "gptneox" && is("attn_qkv.")) {
    const at::Tensor parts = tensor.view({facts.heads, 3, facts.head_width, -1});
    std::vector<at::Tensor> rows;
    for (int64_t i = 0; i < 3; ++i) rows.push_back(parts.select(1, i).reshape({facts.width, -1}));
    return at::cat(rows, 0).view(tensor.sizes());
  }
  if (family == "gpt2" && tensor.dim() == 2 && is("blk.")) return tensor.t();
  return tensor;
}

GgufWriter gguf_of(const Model& model) {
  const nlohmann::json config = model.architecture().config();
  const Facts facts = model.architecture().facts();
  std::string family = model.architecture().family();
  if (family == "gpt_neox") family = "gptneox";
  GgufWriter file;
  file.text("general.architecture", family);
  const auto size = [&](const char* key, int64_t number) {
    file.integer(family + "." + key, static_cast<uint32_t>(number));
  };
  size("embedding_length", facts.width);
  size("feed_forward_length", facts.mlp_width);
  size("block_count", facts.blocks);
  size("attention.head_count", facts.heads);
  size("context_length", facts.context);
  size("vocab_size", facts.vocabulary);
  const bool gated = family == "llama" || family == "qwen2";
  if (gated) size("attention.head_count_kv", facts.key_value_heads);
  file.real(family + (gated ? ".attention.layer_norm_rms_epsilon" : ".attention.layer_norm_epsilon"), 1e-5F);
  if (family == "gptneox") {
    size("rope.dimension_count",
         static_cast<int64_t>(config.at("rotary_pct").get<double>() * static_cast<double>(facts.head_width)));
    file.value("gptneox.use_parallel_residual", 7,
               config.at("use_parallel_residual").get<bool>() ? "\1" : std::string(1, '\0'));
  }
  if (config.contains("rope_scaling") && config["rope_scaling"]["rope_type"] == "linear") {
    file.text(family + ".rope.scaling.type", "linear");
    file.real(family + ".rope.scaling.factor", config["rope_scaling"]["factor"].get<float>());
  }
  for (size_t i = 0; i < model.parameters().size(); ++i) {
    const std::string name = converted_name(model.parameters().name(i));
    add_tensor(file, name, converted(family, name, model.parameters()[i], facts));
  }
  return file;
}

class GgufFamily : public ::testing::TestWithParam<const char*> {};

TEST_P(GgufFamily, GivesTheModelThatWasConverted) {
  const TemporaryFolder folder;
  const Model model = tiny_decoder(GetParam(), at::kFloat);
  const std::string path = folder.write("model.gguf", gguf_of(model).bytes());
  const Model loaded = load_checkpoint(path).model;
  EXPECT_EQ(loaded.parameters().names(), model.parameters().names());
  EXPECT_EQ(loaded.parameters().hash(), model.parameters().hash());
  const data::Batch batch = whole(random_texts({14, 9}), at::kFloat);
  EXPECT_LT(difference(loaded.run(batch).output.logits(), model.run(batch).output.logits()), 1e-4);
  save_checkpoint(loaded, folder / "saved");  // and may be written in the other layout
  EXPECT_EQ(load_checkpoint(folder / "saved").model.parameters().hash(), model.parameters().hash());
}

INSTANTIATE_TEST_SUITE_P(Families, GgufFamily,
                         ::testing::Values("llama", "llama, tied", "llama, biased", "llama, linear", "qwen2", "gpt2",
                                           "gpt_neox", "gpt_neox, sequential"),
                         kNameOfVariant);

TEST(GgufModel, RowsInTheFilesOrderWouldBeAnotherModel) {
  const TemporaryFolder folder;
  const data::Batch batch = whole(random_texts({14, 9}), at::kFloat);
  for (const char* name : {"llama", "gpt_neox"}) {
    const Model model = tiny_decoder(name, at::kFloat);
    const std::string path = folder.write("model.gguf", gguf_of(model).bytes());
    const ScopedTwin twin("nn.gguf_rows_not_permuted");
    const Model loaded = load_checkpoint(path).model;
    EXPECT_GT(difference(loaded.run(batch).output.logits(), model.run(batch).output.logits()), 1e-2) << name;
  }
}

TEST(GgufModel, ATiedHeadStoredTwiceStaysTied) {
  const TemporaryFolder folder;
  const Model model = tiny_decoder("gpt2", at::kFloat);
  GgufWriter file = gguf_of(model);
  add_tensor(file, "output.weight", model.parameters()[0]);
  EXPECT_TRUE(load_checkpoint(folder.write("a.gguf", file.bytes())).model.architecture().facts().head_is_tied);
  GgufWriter other = gguf_of(model);
  add_tensor(other, "output.weight", model.parameters()[0].add(1));
  EXPECT_FALSE(load_checkpoint(folder.write("b.gguf", other.bytes())).model.architecture().facts().head_is_tied);
}

// llama.cpp writes the scaling of Llama 3 as divisors, one a pair: float32, equal to the rule's to rounding.
TEST(GgufModel, ScaledPositionsThatOnlyATensorTellsAreApplied) {
  const TemporaryFolder folder;
  nlohmann::json config = decoder_config("llama 3");
  config["rope_scaling"]["original_max_position_embeddings"] = 8192;
  config["rope_theta"] = 500000.0;
  const Model scaled(make_architecture(config), tiny_decoder("llama 3", at::kFloat).parameters());
  const data::Batch batch = whole(random_texts({30}), at::kFloat);
  const at::Tensor expected = scaled.run(batch).output.logits();
  const auto loaded = [&](const std::vector<float>& divisors) {
    GgufWriter file = gguf_of(scaled);
    file.real("llama.rope.freq_base", 500000.0F);
    std::string bytes;
    for (const float divisor : divisors) bytes += gguf_number(divisor);
    file.tensor("rope_freqs.weight", {divisors.size()}, 0, bytes);
    return load_checkpoint(folder.write("model.gguf", file.bytes())).model;
  };
  // Of 8192 positions wavelengths up to 2048 are kept and those beyond 8192 divided; the pairs' at base 500,000 are 6,
  // 167, 4443 (between: divided in part) and 118143.
  const double share = (8192 / (2 * std::numbers::pi * std::sqrt(500000.0)) - 1) / 3;
  const auto between = static_cast<float>(1 / ((1 - share) / 8 + share));
  const Model same = loaded({1.0F, 1.0F, between, 8.0F});
  EXPECT_EQ(same.architecture().config().at("rope_scaling"), config.at("rope_scaling"));
  EXPECT_LT(difference(same.run(batch).output.logits(), expected), 1e-4);
  const Model other = loaded({1.0F, 2.0F, 3.0F, 4.0F});  // no rule explains these: kept as they are, also when saved
  EXPECT_EQ(other.architecture().config().at("rope_scaling").at("rope_type"), "factors");
  save_checkpoint(other, folder / "saved");
  EXPECT_TRUE(
      load_checkpoint(folder / "saved").model.run(batch).output.logits().equal(other.run(batch).output.logits()));
  EXPECT_FALSE(loaded({1.0F, 1.0F, 1.0F, 1.0F}).architecture().config().contains("rope_scaling"));
  EXPECT_THAT(error_of([&] { loaded({1.0F, 1.0F}); }), Refusal(ErrorKind::Model, "must hold 4 positive numbers"));
  EXPECT_THAT(error_of([&] {
                loaded({1.0F, 1.0F, 0.0F, 1.0F});
              }),
              Refusal(ErrorKind::Model, "must hold 4 positive numbers"));
  const ScopedTwin twin("nn.gguf_scaled_positions_ignored");
  EXPECT_GT(difference(loaded({1.0F, 1.0F, between, 8.0F}).run(batch).output.logits(), expected), 5e-2);
}

TEST(GgufModel, ArchitecturesThatAreNotOursAreNamed) {
  const TemporaryFolder folder;
  GgufWriter file;
  file.text("general.architecture", "phi3");
  EXPECT_THAT(
      error_of([&] { load_checkpoint(folder.write("model.gguf", file.bytes())); }),
      Refusal(ErrorKind::Model, "(gpt2, gptneox, llama, qwen2), but it is \"phi3\"; take a model of one of these"));
}

GgufWriter llama_header(const std::string& without = "") {
  GgufWriter file;
  file.text("general.architecture", "llama");
  for (const auto& [key, number] : {std::pair("llama.embedding_length", 8u),
                                    {"llama.feed_forward_length", 16u},
                                    {"llama.block_count", 1u},
                                    {"llama.attention.head_count", 2u},
                                    {"llama.context_length", 32u}})
    if (key != without) file.integer(key, number);
  const std::string epsilon = "llama.attention.layer_norm_rms_epsilon";
  if (epsilon != without) file.real(epsilon, 1e-5f);
  return file;
}

TEST(LlamaGguf, SizesTheVocabularyByItsNumberOrByItsTokens) {
  const TemporaryFolder folder;
  const auto vocabulary = [&](const GgufWriter& file) {
    const std::string path = folder.write("model.gguf", file.bytes());
    return config_of_gguf(io::Gguf::open(path, ErrorKind::Model)).at("vocab_size").get<int64_t>();
  };
  EXPECT_EQ(vocabulary(llama_header().integer("llama.vocab_size", 40)), 40);  // no tokenizer in the file
  EXPECT_EQ(vocabulary(llama_header().texts("tokenizer.ggml.tokens", {"a", "b", "c"})), 3);
  EXPECT_EQ(vocabulary(llama_header().integer("llama.vocab_size", 40).texts("tokenizer.ggml.tokens", {"a", "b", "c"})),
            40);
  EXPECT_THAT(error_of([&] { vocabulary(llama_header()); }), Refusal(ErrorKind::Model, "tokenizer.ggml.tokens"));
}

TEST(LlamaGguf, RefusesSizesAndNumbersThatNoModelHas) {
  const TemporaryFolder folder;
  const auto refusal = [&](const std::string& key, auto value) {
    GgufWriter file = llama_header(key).integer("llama.vocab_size", 4);
    if constexpr (std::is_same_v<decltype(value), float>)
      file.real(key, value);
    else
      file.integer(key, value);
    const std::string path = folder.write("model.gguf", file.bytes());
    return error_of([&] { config_of_gguf(io::Gguf::open(path, ErrorKind::Model)); });
  };
  EXPECT_FALSE(refusal("llama.rope.freq_base", 1e4F));
  EXPECT_THAT(
      refusal("llama.block_count", 1'000'000'000u),
      Refusal(ErrorKind::Model, "\"llama.block_count\" must be a positive integer up to 4096, but it is 1000000000"));
  EXPECT_THAT(refusal("llama.feed_forward_length", 1'000'000'000u), Refusal(ErrorKind::Model, "up to 16777216"));
  for (const char* key : {"llama.attention.layer_norm_rms_epsilon", "llama.rope.freq_base"}) {
    for (const float wrong : {0.0F, -1.0F, std::numeric_limits<float>::infinity()}) {
      EXPECT_THAT(refusal(key, wrong), Refusal(ErrorKind::Model, "must be a positive finite number"));
    }
  }
}

/// A whole file of that header: every weight a small number, but for one that has another shape.
GgufWriter whole_llama(const std::string& changed = "", const std::vector<uint64_t>& shape = {}) {
  GgufWriter file = llama_header().integer("llama.vocab_size", 4);
  const auto add = [&](const std::string& name, std::vector<uint64_t> sizes) {
    if (name == changed) sizes = shape;
    uint64_t count = 1;
    for (const uint64_t size : sizes) count *= size;
    std::string bytes;
    for (uint64_t i = 0; i < count; ++i) bytes += gguf_number(0.01F * static_cast<float>(i % 7));
    file.tensor(name, sizes, 0, bytes);
  };
  add("token_embd.weight", {4, 8});
  add("output_norm.weight", {8});
  for (const char* norm : {"attn_norm", "ffn_norm"}) add("blk.0." + std::string(norm) + ".weight", {8});
  for (const char* matrix : {"attn_q", "attn_k", "attn_v", "attn_output"})
    add("blk.0." + std::string(matrix) + ".weight", {8, 8});
  for (const char* matrix : {"ffn_gate", "ffn_up"}) add("blk.0." + std::string(matrix) + ".weight", {16, 8});
  add("blk.0.ffn_down.weight", {8, 16});
  return file;
}

TEST(LlamaGguf, RefusesAWeightOfAnotherShape) {
  const TemporaryFolder folder;
  const auto load = [&](const GgufWriter& file) { load_checkpoint(folder.write("model.gguf", file.bytes())); };
  EXPECT_NO_THROW(load(whole_llama()));
  // Three rows are no whole number of heads: the shape is looked at before the rows are put in order.
  EXPECT_THAT(
      error_of([&] {
        load(whole_llama("blk.0.attn_q.weight", {3, 8}));
      }),
      Refusal(ErrorKind::Model, "must have shape [8, 8], which the configuration asks for, and it has shape [3, 8]"));
  EXPECT_THAT(
      error_of([&] { load(whole_llama("blk.0.attn_k.weight", {8})); }),
      Refusal(ErrorKind::Model, "must have shape [8, 8], which the configuration asks for, and it has shape [8]"));
}

TEST(LlamaGguf, RefusesPositionsOfAScalingItDoesNotKnow) {
  const TemporaryFolder folder;
  GgufWriter file = whole_llama();
  file.text("llama.rope.scaling.type", "yarn");
  EXPECT_THAT(error_of([&] { load_checkpoint(folder.write("model.gguf", file.bytes())); }),
              Refusal(ErrorKind::Model,
                      "\"llama.rope.scaling.type\" must be absent, none or linear, the scalings that "
                      "Assay knows by name, but it is \"yarn\"; take a model with one of these"));
}

}  // namespace
}  // namespace assay::nn
