// Checkpoints on disk: a round trip, and one sentence for each way in which a folder can be wrong.
#include "assay/nn/checkpoint.h"

#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <tuple>

#include "assay/core/machine.h"
#include "assay/core/twin.h"
#include "assay/io/safetensors.h"
#include "assay/io/tensor.h"
#include "tests/nn/decoders.h"
#include "tests/support/errors.h"
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
  for (const char* family : {"mamba", "gptj"}) {
    configure("model_type", family);
    EXPECT_THAT(refusal(),
                Refusal(ErrorKind::Model, "(gpt2, gpt_neo, gpt_neox, llama, mlp, qwen2), but it is \"" +
                                              std::string(family) + "\"; take a model of one of these families"));
  }
  configure("model_type", nullptr);
  EXPECT_THAT(refusal(),
              Refusal(ErrorKind::Model, "key \"model_type\" must be given, but it is null; correct the file"));
  configure("model_type", "llama");
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

// Two copies of the weights in memory are what users of other programs complain of.
TEST(Checkpoint, WhatIsConvertedLeavesNothingOfTheFileInMemory) {
  const TemporaryFolder folder;
  constexpr int64_t kWidth = 2048, kMatrices = 12, kBytes = kMatrices * kWidth * kWidth * 4;  // 201 MB in float32
  const nlohmann::json config{{"model_type", "mlp"},
                              {"features", kWidth},
                              {"hidden", std::vector<int64_t>(kMatrices - 1, kWidth)},
                              {"outputs", kWidth}};
  folder.write("config.json", config.dump());
  const auto save = [&](at::ScalarType stored) {
    const io::Array matrix = io::from_tensor(at::full({kWidth, kWidth}, 0.5, stored));
    io::Arrays tensors;
    const io::Array bias = io::from_tensor(at::ones({kWidth}));  // used in place, which keeps the file mapped
    for (int64_t l = 0; l < kMatrices; ++l) {
      tensors[fmt::format("layers.{}.weight", l)] = matrix;
      tensors[fmt::format("layers.{}.bias", l)] = bias;
    }
    io::write_safetensors(folder / "model.safetensors", tensors);
  };
  const auto held = [&](at::ScalarType wanted) {
    return_freed_memory();
    const int64_t before = resident_bytes();
    const Checkpoint loaded = load_checkpoint(folder.path(), wanted);
    return resident_bytes() - before;
  };
  const auto peak = [&](at::ScalarType wanted) {
    return_freed_memory();
    reset_peak_resident();
    const int64_t before = resident_bytes();
    EXPECT_LT(peak_resident_bytes() - before, int64_t{8} << 20) << "this kernel does not let the peak start again";
    load_checkpoint(folder.path(), wanted);
    return peak_resident_bytes() - before;
  };
  // Beside the converted weights: the largest tensor as it is stored, and room for what threads and the C library take.
  constexpr int64_t kSlack = int64_t{24} << 20;
  const std::vector<std::tuple<at::ScalarType, at::ScalarType, int64_t>> cases{
      {at::kFloat, at::kBFloat16, kBytes / 2}, {at::kHalf, at::kFloat, kBytes}, {at::kBFloat16, at::kFloat, kBytes}};
  for (const auto& [stored, wanted, converted] : cases) {
    save(stored);
    const int64_t file = kBytes / 4 * static_cast<int64_t>(c10::elementSize(stored));
    EXPECT_LT(held(wanted), converted + kSlack) << c10::toString(stored);
    EXPECT_LT(peak(wanted), converted + file / kMatrices + kSlack) << c10::toString(stored);
    const ScopedTwin twin("io.pages_kept");
    EXPECT_GT(held(wanted), converted + file - kSlack) << c10::toString(stored);
    EXPECT_GT(peak(wanted), converted + file / kMatrices + kSlack) << c10::toString(stored);
  }
  save(at::kFloat);  // used where it lies: nothing but the file's pages
  EXPECT_LT(held(at::kFloat), kBytes + kSlack);
  EXPECT_GT(held(at::kFloat), kBytes - kSlack);
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

TEST(Checkpoint, TheBareModelsNamesWillDo) {
  for (const std::string family : {"gpt2", "gpt_neox", "llama"}) {
    const TemporaryFolder folder;
    const Model model = tiny_decoder(family, at::kFloat);
    save_checkpoint(model, folder.path());
    io::Arrays tensors;
    const std::string prefix = model.architecture().optional_prefix();
    for (size_t i = 0; i < model.parameters().size(); ++i) {
      std::string name = model.parameters().name(i);
      if (name.starts_with(prefix)) name.erase(0, prefix.size());
      tensors[name] = io::from_tensor(model.parameters()[i]);
    }
    // Buffers of older writers, not weights.
    tensors[family == "gpt2" ? "h.0.attn.bias" : "layers.0.attention.masked_bias"] = io::from_tensor(at::ones({1}));
    io::write_safetensors(folder / "model.safetensors", tensors);
    EXPECT_EQ(load_checkpoint(folder.path()).model.parameters().hash(), model.parameters().hash()) << family;
  }
}

}  // namespace
}  // namespace assay::nn
