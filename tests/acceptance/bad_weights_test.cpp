// Broken weight files through the program: exit code 4 and one sentence that names the file and what was found in it.
// Which rules there are, and that no byte makes the readers crash, is tested where they are (tests/io).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assay/nn/gguf_model.h"
#include "tests/acceptance/program.h"
#include "tests/acceptance/tiny_model.h"
#include "tests/support/gguf_writer.h"

namespace assay {
namespace {

using testing::HasSubstr;

class BadWeights : public testing::Test {
 protected:
  BadWeights() {
    write_tiny_model(model_);
    const std::string bytes = read_bytes(model_ + "/model.safetensors");
    uint64_t length = 0;
    std::memcpy(&length, bytes.data(), sizeof length);
    header_ = nlohmann::json::parse(bytes.substr(8, length));
    data_ = bytes.substr(8 + length);
  }

  void expect_bad_model(const std::string& model, const std::string& file, const std::string& words) const {
    const Outcome outcome = run_assay({"inspect", model});
    EXPECT_EQ(outcome.exit_code, 4) << outcome.err;
    EXPECT_TRUE(is_one_sentence(outcome.err, "model")) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(file));
    EXPECT_THAT(outcome.err, HasSubstr(words));
    EXPECT_EQ(outcome.out, "");
  }
  /// The weights with this header, which need not state its true length.
  void expect_bad_header(const std::string& header, uint64_t stated, const std::string& words) const {
    folder_.write("model/model.safetensors", gguf_number(stated) + header + data_);
    expect_bad_model(model_, "model.safetensors", words);
  }
  void expect_bad_header(const std::string& header, const std::string& words) const {
    expect_bad_header(header, header.size(), words);
  }
  void expect_bad_gguf(const std::string& bytes, const std::string& words) const {
    expect_bad_model(folder_.write("weights.gguf", bytes), "weights.gguf", words);
  }

  TemporaryFolder folder_;
  std::string model_ = folder_ / "model";
  nlohmann::json header_;
  std::string data_;
};

const char* const kNormWeight = "model.norm.weight";

TEST_F(BadWeights, AHeaderLongerThanItsFile) {
  expect_bad_header(header_.dump(), 1'000'000, "its header length is 1000000");
  expect_bad_header(header_.dump(), uint64_t{1} << 40, "at most 100,000,000 bytes long, but its header length is");
}

TEST_F(BadWeights, ATensorTwice) {
  const std::string once = header_.dump();
  const std::string again = "\"" + std::string(kNormWeight) + "\":" + header_[kNormWeight].dump() + ",";
  expect_bad_header("{" + again + once.substr(1), kNormWeight);
}

TEST_F(BadWeights, TensorsThatOverlap) {
  auto& offsets = header_[kNormWeight]["data_offsets"];
  const auto begin = offsets[0].get<int64_t>(), end = offsets[1].get<int64_t>();
  const int64_t shift = begin > 0 ? -4 : 4;
  offsets = {begin + shift, end + shift};
  expect_bad_header(header_.dump(), "tensors must lie one after the other");
}

TEST_F(BadWeights, ATensorBeyondTheEnd) {
  auto& offsets = header_[kNormWeight]["data_offsets"];
  const auto bytes = static_cast<int64_t>(data_.size());
  offsets = {bytes, bytes + offsets[1].get<int64_t>() - offsets[0].get<int64_t>()};
  expect_bad_header(header_.dump(), kNormWeight);
}

TEST_F(BadWeights, ATypeThatNobodyKnows) {
  header_[kNormWeight]["dtype"] = "F33";
  expect_bad_header(header_.dump(), "tensor \"model.norm.weight\" must have a dtype that Assay reads");
}

TEST_F(BadWeights, AGgufOfAnotherKindOrVersion) {
  GgufWriter writer;
  writer.text("general.architecture", "llama");
  const std::string sound = writer.bytes();
  expect_bad_gguf("FUGG" + sound.substr(4), "must begin with the letters GGUF");
  writer.version = 1;
  expect_bad_gguf(writer.bytes(), "the GGUF version must be 2 or 3, but it is 1");
}

TEST_F(BadWeights, AGgufCutShort) {
  GgufWriter writer;
  writer.text("general.architecture", "llama").tensor("output_norm.weight", {16}, 0, std::string(64, '\0'));
  const std::string sound = writer.bytes();
  expect_bad_gguf(sound.substr(0, 40), "bytes are left; it is cut off or damaged");
  expect_bad_gguf(sound.substr(0, sound.size() - 8), "must lie inside the file");
}

TEST_F(BadWeights, AGgufTypeThatIsNotReadIsNamed) {
  GgufWriter unread;
  unread.text("general.architecture", "llama").real("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  unread.texts("tokenizer.ggml.tokens", {"<unk>", "the", "cat", "dog", "sat", "on", "mat", "ran"});
  for (const auto& [key, number] :
       {std::pair("attention.head_count", 2u), std::pair("embedding_length", 16u),
        std::pair("feed_forward_length", 24u), std::pair("block_count", 2u), std::pair("context_length", 16u)}) {
    unread.integer(std::string("llama.") + key, number);
  }
  const auto architecture = nn::make_architecture(tiny_config());
  for (const nn::ParameterInfo& parameter : architecture->parameters()) {
    const std::vector<uint64_t> shape(parameter.shape.begin(), parameter.shape.end());
    uint64_t numbers = 1;
    for (const uint64_t size : shape) numbers *= size;
    const bool is_double = parameter.name == kNormWeight;  // type 28, which Assay knows and does not read
    unread.tensor(nn::gguf_name(nn::gguf_weight_names("llama"), parameter.name), shape, is_double ? 28 : 0,
                  std::string((is_double ? 8 : 4) * numbers, '\0'));
  }
  expect_bad_gguf(unread.bytes(), "but it has F64");
  GgufWriter unknown;
  unknown.text("general.architecture", "llama").tensor_at("output_norm.weight", {256}, 999, 0);
  expect_bad_gguf(unknown.bytes(), "its type number is 999");
}

}  // namespace
}  // namespace assay
