// Checkpoints on disk: a round trip, and one sentence for each way in which a folder can be wrong.
#include "assay/nn/checkpoint.h"

#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include "assay/core/twin.h"
#include "assay/io/safetensors.h"
#include "assay/io/tensor.h"
#include "assay/nn/llama_gguf.h"
#include "tests/nn/models.h"
#include "tests/support/errors.h"
#include "tests/support/gguf_writer.h"
#include "tests/support/temporary_folder.h"

namespace assay::nn {
namespace {

class CheckpointFolder : public ::testing::Test {
 protected:
  CheckpointFolder() {
    save_checkpoint(model, folder.path());
    for (size_t i = 0; i < model.parameters().size(); ++i)
      tensors[model.parameters().name(i)] = io::from_tensor(model.parameters()[i]);
  }
  void rewrite() { io::write_safetensors(folder / "model.safetensors", tensors); }
  std::optional<Error> refusal() {
    return error_of([&] { load_checkpoint(folder.path()); });
  }
  void configure(const std::string& key, const nlohmann::json& value) {
    nlohmann::json config = model.architecture().config();
    config[key] = value;
    folder.write("config.json", config.dump());
  }

  TemporaryFolder folder;
  Model model = tiny_llama(true, at::kFloat);
  io::Arrays tensors;
};

TEST_F(CheckpointFolder, ComesBackBitForBit) {
  const Checkpoint loaded = load_checkpoint(folder.path());
  EXPECT_EQ(loaded.model.parameters().hash(), model.parameters().hash());
  EXPECT_EQ(loaded.model.architecture().config(), model.architecture().config());
  EXPECT_EQ(loaded.hash, load_checkpoint(folder.path(), at::kDouble).hash);
}

TEST_F(CheckpointFolder, AcceptsATiedHeadThatIsStoredTwice) {
  tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"];
  rewrite();
  EXPECT_FALSE(refusal());
  tensors["lm_head.weight"] = io::from_tensor(model.parameters()[0].add(1));
  rewrite();
  EXPECT_THAT(refusal(), Refusal(ErrorKind::Model, "tie_word_embeddings"));
}

TEST_F(CheckpointFolder, MissingExtraAndWronglyShapedTensorsAreNamed) {
  const io::Array gate = tensors["model.layers.0.mlp.gate_proj.weight"];
  tensors.erase("model.layers.0.mlp.gate_proj.weight");
  rewrite();
  EXPECT_THAT(refusal(), Refusal(ErrorKind::Model, "must hold tensor \"model.layers.0.mlp.gate_proj.weight\""));
  tensors["model.layers.0.mlp.gate_proj.weight"] = tensors["model.layers.0.mlp.down_proj.weight"];
  rewrite();
  EXPECT_THAT(refusal(), Refusal(ErrorKind::Model, "must have shape [24, 16]"));
  tensors["model.layers.0.mlp.gate_proj.weight"] = gate;
  tensors["model.layers.9.mlp.gate_proj.weight"] = gate;
  rewrite();
  EXPECT_THAT(refusal(), Refusal(ErrorKind::Model, "\"model.layers.9.mlp.gate_proj.weight\" does not; closest"));
}

TEST_F(CheckpointFolder, NumbersThatAreNotFiniteAreRefused) {
  tensors["model.norm.weight"] = io::from_tensor(at::full({16}, std::numeric_limits<double>::quiet_NaN(), at::kFloat));
  rewrite();
  EXPECT_THAT(refusal(), Refusal(ErrorKind::Model, "\"model.norm.weight\" must be finite"));
}

TEST_F(CheckpointFolder, UnknownFamiliesAndSettingsAreNamed) {
  configure("model_type", "lama");
  EXPECT_THAT(refusal(), Refusal(ErrorKind::Model, "closest: \"llama\""));
  configure("rope_scaling", {{"rope_type", "yarn"}, {"factor", 4.0}});
  EXPECT_THAT(refusal(), Refusal(ErrorKind::Model, "rope_scaling"));
  configure("num_attention_heads", 3);
  EXPECT_THAT(refusal(), Refusal(ErrorKind::Model, "hidden_size"));
}

TEST_F(CheckpointFolder, SizesThatNoMachineHoldsAreRefusedBeforeAnythingIsMade) {
  for (const char* key :
       {"num_hidden_layers", "hidden_size", "intermediate_size", "vocab_size", "head_dim", "max_position_embeddings"}) {
    configure(key, 2'000'000'000);
    EXPECT_THAT(refusal(),
                Refusal(ErrorKind::Model, std::string("config.json\": \"") + key + "\" must be an integer from 1 to "));
  }
  const nlohmann::json wide{{"model_type", "mlp"}, {"features", 2}, {"hidden", {4, int64_t{1} << 40}}, {"outputs", 2}};
  const std::vector<int64_t> many(5000, 2);
  const nlohmann::json deep{{"model_type", "mlp"}, {"features", 2}, {"hidden", many}, {"outputs", 2}};
  for (const nlohmann::json& config : {wide, deep}) {
    EXPECT_THAT(error_of([&] { make_architecture(config); }),
                Refusal(ErrorKind::Model, "\"hidden\" must be a list of at most 4096 positive widths up to 16777216"));
  }
}

TEST_F(CheckpointFolder, NumbersThatMustBePositiveAre) {
  for (const char* key : {"rms_norm_eps", "rope_theta"}) {
    for (const double wrong : {0.0, -1e-5}) {
      configure(key, wrong);
      EXPECT_THAT(refusal(), Refusal(ErrorKind::Model, std::string(key) + "\" must be a positive finite number"));
    }
  }
  configure("rope_parameters", {{"rope_theta", -1}});
  EXPECT_THAT(refusal(), Refusal(ErrorKind::Model, "\"rope_parameters.rope_theta\" must be a positive finite number"));
  configure("initializer_range", nullptr);  // absent, as Hugging Face writes it
  EXPECT_FALSE(refusal());
}

TEST_F(CheckpointFolder, KnowsTheTypesOnTheDisk) {
  const std::string name = model.parameters().name(1);
  tensors[name] = io::from_tensor(model.parameters()[1].to(at::kBFloat16));
  rewrite();
  const Checkpoint loaded = load_checkpoint(folder.path());
  ASSERT_EQ(loaded.types.size(), loaded.model.parameters().size());
  EXPECT_EQ(loaded.types[0], "F32");
  EXPECT_EQ(loaded.types[1], "BF16");
}

TEST(Initialize, WeightsThatDoNotFitAreRefusedBeforeTheyAreDrawn) {
  const nlohmann::json config{
      {"model_type", "mlp"}, {"features", 16'777'216}, {"hidden", {16'777'216}}, {"outputs", 2}};
  EXPECT_THAT(error_of([&] { initialize(make_architecture(config), 0); }),
              Refusal(ErrorKind::Resource, "its weights must fit into memory"));
}

TEST_F(CheckpointFolder, PicklesAreRefusedWithWhatToDo) {
  std::filesystem::remove(folder / "model.safetensors");
  folder.write("pytorch_model.bin", "PK");
  EXPECT_THAT(refusal(), Refusal(ErrorKind::Model, "safetensors.torch.save_file"));
}

TEST_F(CheckpointFolder, PlacesThatAreNoModelAreRefused) {
  const TemporaryFolder empty;
  EXPECT_THAT(error_of([&] { load_checkpoint(empty.path()); }), Refusal(ErrorKind::Model, "config.json"));
  EXPECT_THAT(error_of([&] { load_checkpoint(empty / "nothing"); }),
              Refusal(ErrorKind::Model, "there is nothing of this name"));
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

TEST(LlamaGguf, RefusesScaledPositionsThatOnlyATensorTells) {
  const TemporaryFolder folder;
  const auto load = [&](float divisor) {
    GgufWriter file = whole_llama();
    file.tensor("rope_freqs.weight", {2}, 0, gguf_number(1.0F) + gguf_number(divisor));
    load_checkpoint(folder.write("model.gguf", file.bytes()));
  };
  EXPECT_NO_THROW(load(1));
  EXPECT_THAT(error_of([&] { load(8); }), Refusal(ErrorKind::Model, "\"rope_freqs.weight\" must be 1 throughout"));
  const ScopedTwin twin("nn.gguf_scaled_positions_ignored");
  EXPECT_NO_THROW(load(8));
}

TEST(LlamaGguf, QueryRowsComeBackToHalves) {
  // One head of width 4 with rows r0 r1 r2 r3 in Llama's order lies as r0 r2 r1 r3 in llama.cpp's.
  const at::Tensor written = at::Tensor(at::full({4, 1}, 0.0, at::kFloat));
  for (int64_t i = 0; i < 4; ++i) written[i].fill_(std::vector<double>{0, 2, 1, 3}[static_cast<size_t>(i)]);
  const at::Tensor rows = rows_by_halves(written, 1);
  for (int64_t i = 0; i < 4; ++i) EXPECT_EQ(rows[i].item<double>(), static_cast<double>(i));
  EXPECT_EQ(gguf_name("model.layers.12.self_attn.o_proj.weight"), "blk.12.attn_output.weight");
}

}  // namespace
}  // namespace assay::nn
