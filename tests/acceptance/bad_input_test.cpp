// Bad input through the program: one sentence, the exit code of its kind, nothing on standard output.
#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "assay/io/safetensors.h"
#include "assay/io/tensor.h"
#include "tests/acceptance/program.h"
#include "tests/acceptance/tiny_model.h"

namespace assay {
namespace {

using testing::HasSubstr;

class BadInput : public testing::Test {
 protected:
  BadInput() { write_tiny_model(model_); }

  void expect_refusal(const Outcome& outcome, int exit_code, const std::string& kind, const std::string& words) const {
    EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
    EXPECT_TRUE(is_one_sentence(outcome.err, kind)) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(words));
    EXPECT_EQ(outcome.out, "");
  }

  void expect_bad_model(const std::string& words) const {
    expect_refusal(run_assay({"inspect", model_}), 4, "model", words);
  }

  void expect_bad_data(const std::string& data, const std::string& words, std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"evaluate", model_, "--quiet", "--data", data});
    expect_refusal(run_assay(more), 3, "data", words);
  }

  /// Writes the model again with `change` applied to its tensors.
  void rewrite_weights(const std::function<void(io::Arrays&)>& change) const {
    const std::string path = model_ + "/model.safetensors";
    const io::Safetensors before = io::read_safetensors(path, ErrorKind::Model);
    io::Arrays tensors;
    for (const auto& [name, array] : before.tensors) {
      tensors.emplace(name, io::from_tensor(io::to_tensor(array).clone()));
    }
    change(tensors);
    io::write_safetensors(path, tensors);
  }

  void rewrite_config(const std::function<void(nlohmann::json&)>& change) const {
    nlohmann::json config = tiny_config();
    change(config);
    folder_.write("model/config.json", config.dump());
  }

  TemporaryFolder folder_;
  std::string model_ = folder_ / "model";
};

const char* const kNorm = "model.norm.weight";

TEST_F(BadInput, NoSuchModel) {
  expect_refusal(run_assay({"inspect", folder_ / "absent"}), 4, "model", "there is nothing of this name");
}

TEST_F(BadInput, AFolderThatIsNoModel) {
  folder_.write("papers/notes.txt", "hello");
  expect_refusal(run_assay({"inspect", folder_ / "papers"}), 4, "model", "must hold config.json");
}

TEST_F(BadInput, AnUnknownFamilyIsAnsweredByThoseThatAreKnown) {
  rewrite_config([](auto& config) { config["model_type"] = "lama"; });
  expect_bad_model("gpt_neox, llama, mlp, qwen2), but it is \"lama\"; take a model of one of these families");
}

TEST_F(BadInput, AConfigurationThatIsNoJson) {
  folder_.write("model/config.json", "{\"model_type\": ");
  expect_bad_model("config.json");
}

TEST_F(BadInput, AMissingTensor) {
  rewrite_weights([](io::Arrays& tensors) { tensors.erase(kNorm); });
  expect_bad_model(kNorm);
}

TEST_F(BadInput, AnExtraTensor) {
  rewrite_weights([](io::Arrays& tensors) { tensors.emplace("model.norm.weigth", io::from_tensor(at::zeros({2}))); });
  expect_bad_model("closest: \"model.norm.weight\"");
}

TEST_F(BadInput, AWronglyShapedTensor) {
  rewrite_weights([](io::Arrays& tensors) { tensors.insert_or_assign(kNorm, io::from_tensor(at::zeros({3}))); });
  expect_bad_model("must have shape");
}

TEST_F(BadInput, NotANumberAmongTheWeights) {
  rewrite_weights([](io::Arrays& tensors) {
    at::Tensor broken = at::zeros({16});
    broken.data_ptr<float>()[5] = std::numeric_limits<float>::quiet_NaN();
    tensors.insert_or_assign(kNorm, io::from_tensor(broken));
  });
  expect_bad_model("must be finite");
}

TEST_F(BadInput, AWeightFileCutShort) {
  const std::string bytes = read_bytes(model_ + "/model.safetensors");
  folder_.write("model/model.safetensors", bytes.substr(0, bytes.size() - 5));
  expect_bad_model("model.safetensors");
  folder_.write("model/model.safetensors", bytes.substr(0, 4));
  expect_bad_model("model.safetensors");
}

TEST_F(BadInput, APickledCheckpoint) {
  std::filesystem::remove(model_ + "/model.safetensors");
  folder_.write("model/pytorch_model.bin", "\x80\x02}q\x01.");
  expect_bad_model("pickle");
}

TEST_F(BadInput, AGgufThatIsNone) {
  expect_refusal(run_assay({"inspect", folder_.write("fake.gguf", "GGUFnothing else")}), 4, "model", "fake.gguf");
}

TEST_F(BadInput, NoSuchCorpus) {
  expect_bad_data(folder_ / "absent.txt", "absent.txt");
}

TEST_F(BadInput, AnEmptyCorpus) {
  expect_bad_data(folder_.write("empty.txt", ""), "empty.txt");
  expect_bad_data(folder_.write("blank.txt", " \n<|endoftext|>\n "), "blank.txt");
}

TEST_F(BadInput, TextThatIsNotUtf8) {
  expect_bad_data(folder_.write("latin.txt", "caf\xe9 au lait"), "UTF-8");
}

TEST_F(BadInput, JsonLinesWithoutTheField) {
  expect_bad_data(folder_.write("lines.jsonl", "{\"txet\": \"the cat\"}\n"), "closest: \"txet\"");
  expect_bad_data(folder_.write("torn.jsonl", "{\"text\": \"the cat\"}\n{\"text\": \n"), "line 2");
}

TEST_F(BadInput, ADocumentBeyondTheContextWhereThatIsRefused) {
  std::string text = "the";
  for (int i = 0; i < 40; ++i) text += " cat";
  expect_bad_data(folder_.write("long.txt", text), "long.txt", {"--long", "refuse"});
}

TEST_F(BadInput, NestedBeyondMeasure) {
  std::string deep(200'000, '[');
  deep.append(200'000, ']');
  const std::string corpus = folder_.write("corpus.txt", tiny_corpus()), words = "must nest at most 256 deep";
  const std::string line = "{\"text\": " + deep + "}";
  expect_bad_data(folder_.write("deep.jsonl", line), words);
  expect_refusal(run_assay({"attribute", model_, "--data", corpus, "--queries", folder_ / "deep.jsonl", "--quiet"}), 3,
                 "data", words);
  const std::string header = "{\"__metadata__\": " + deep + "}", weights = read_bytes(model_ + "/model.safetensors");
  const uint64_t length = header.size();
  folder_.write("model/model.safetensors", std::string(reinterpret_cast<const char*>(&length), 8) + header);
  expect_bad_model(words);
  folder_.write("model/model.safetensors", weights);
  folder_.write("model/config.json", "{\"model_type\": \"llama\", \"x\": " + deep + "}");
  expect_bad_model(words);
  folder_.write("model/tokenizer.json", "{\"model\": " + deep + "}");
  expect_refusal(run_assay({"tokenize", model_, "--text", "the cat"}), 4, "model", words);
}

TEST_F(BadInput, MoreBlocksThanAnybodyHas) {
  rewrite_config([](auto& config) { config["num_hidden_layers"] = 1'000'000'000; });
  const Outcome outcome = run_assay({"inspect", model_});
  expect_refusal(outcome, 4, "model", "\"num_hidden_layers\" must be an integer from 1 to 4096, but it is 1000000000");
}

TEST_F(BadInput, ACorpusWithNothingToPredict) {
  const std::string data = folder_.write("one.txt", "the<|endoftext|>cat");
  const std::string words = "tokenizing \"" + data + "\": at least one document must have a token to predict";
  expect_bad_data(data, words);
  expect_refusal(run_assay({"attribute", model_, "--data", data, "--prompt", "the", "--completion", " cat", "--quiet",
                            "--cache", folder_ / "cache"}),
                 3, "data", words);
  // Who only counts words needs nothing to predict.
  const Outcome counted = run_assay({"attribute", model_, "--data", data, "--prompt", "the", "--completion", " cat",
                                     "--method", "bm25", "--trust", "no", "--quiet"});
  EXPECT_EQ(counted.exit_code, 0) << counted.err;
}

TEST_F(BadInput, AFieldOfPlainText) {
  const std::string data = folder_.write("plain.txt", tiny_corpus());
  expect_refusal(run_assay({"evaluate", model_, "--data", data, "--field", "story", "--quiet"}), 2, "usage",
                 "plain text has no fields; leave the field out");
}

TEST_F(BadInput, ALinkThatLeadsNowhere) {
  std::filesystem::create_symlink("nowhere", folder_ / "link");
  expect_bad_data(folder_ / "link", "mend the link");
  expect_refusal(run_assay({"inspect", folder_ / "link"}), 4, "model", "mend the link");
}

TEST_F(BadInput, NumbersThatLeaveTheRangeOfTheirType) {
  rewrite_weights([](io::Arrays& tensors) {
    for (auto& [name, array] : tensors) {
      const bool is_factor = name.find("q_proj") != std::string::npos || name.find("k_proj") != std::string::npos;
      if (is_factor) array = io::from_tensor(io::to_tensor(array).mul(1e32));
    }
  });
  const std::string corpus = folder_.write("corpus.txt", tiny_corpus()), out = folder_ / "out";
  expect_refusal(run_assay({"evaluate", model_, "--data", corpus, "--json", "--quiet", "--out", out}), 5, "numeric",
                 "every loss must be finite, but 3 of 3 are not");
  EXPECT_THAT(read_bytes(out + "/report.html"), testing::Not(HasSubstr("hardest")));
  expect_refusal(run_assay({"generate", model_, "--prompt", "the cat", "--max-tokens", "2", "--json", "--quiet"}), 5,
                 "numeric", "logits must be finite");
  const Outcome wide = run_assay({"evaluate", model_, "--data", corpus, "--quiet", "--dtype", "fp64"});
  EXPECT_EQ(wide.exit_code, 0) << wide.err;
}

TEST_F(BadInput, AContextBeyondTheModels) {
  const std::string corpus = folder_.write("corpus.txt", tiny_corpus());
  expect_refusal(run_assay({"evaluate", model_, "--data", corpus, "--context", "17", "--quiet"}), 2, "usage",
                 "from 2 to the model's 16 tokens");
}

}  // namespace
}  // namespace assay
