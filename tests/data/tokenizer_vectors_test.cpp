// Recorded [text, ids] pairs of the reference implementations: every one must come out, and no deliberate error may
// leave them all as they are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/data/tokenizer.h"
#include "assay/data/tokenizer_definition.h"
#include "assay/io/json.h"
#include "tests/support/data.h"
#include "tests/support/gguf_writer.h"
#include "tests/support/smollm2.h"
#include "tests/support/temporary_folder.h"

namespace assay::data {
namespace {

struct Vector {
  std::string text;
  std::vector<int32_t> ids;
};

std::vector<Vector> read_json_vectors(const std::string& path) {
  std::vector<Vector> vectors;
  for (const auto& pair : io::read_json(path, ErrorKind::Data)) {
    vectors.push_back({pair[0].get<std::string>(), pair[1].get<std::vector<int32_t>>()});
  }
  return vectors;
}

std::vector<Vector> read_gpt2_vectors(const std::string& folder) {
  const std::string separator = "\n__ggml_vocab_test__\n";
  std::string texts = read_bytes(folder + "/vectors.inp");
  std::ifstream lines(folder + "/vectors.out");
  std::vector<Vector> vectors;
  for (std::string line; std::getline(lines, line);) {
    const size_t end = texts.find(separator);
    Vector vector{texts.substr(0, end), {}};
    texts.erase(0, end == std::string::npos ? end : end + separator.size());
    std::istringstream numbers(line);
    for (int32_t id = 0; numbers >> id;) vector.ids.push_back(id);
    vectors.push_back(std::move(vector));
  }
  return vectors;
}

/// How many vectors a tokenizer, loaded anew, gets wrong. A refusal is wrong too.
size_t wrong_vectors(const std::string& path, const std::vector<Vector>& vectors, bool with_bos = false) {
  const Tokenizer tokenizer = load_tokenizer(path);
  size_t wrong = 0;
  for (const Vector& vector : vectors) {
    try {
      std::vector<int32_t> ids = tokenizer.encode(vector.text);
      if (with_bos) ids.insert(ids.begin(), *tokenizer.bos());
      const bool is_right = ids == vector.ids && tokenizer.decode(tokenizer.encode(vector.text)) == vector.text;
      if (!is_right) ++wrong;
    } catch (const Error&) {
      ++wrong;
    }
  }
  return wrong;
}

size_t wrong_under(const char* twin, const std::string& path, const std::vector<Vector>& vectors,
                   bool with_bos = false) {
  const ScopedTwin error(twin);
  return wrong_vectors(path, vectors, with_bos);
}

TEST(TokenizerVectors, Gpt2GivesTheIdsOfTheReference) {
  const std::string folder = data_path("tokenizers/gpt2");
  if (folder.empty()) GTEST_SKIP() << no_data("tokenizers/gpt2");
  const auto vectors = read_gpt2_vectors(folder);
  ASSERT_EQ(vectors.size(), 46u);
  EXPECT_EQ(wrong_vectors(folder, vectors), 0u);
  EXPECT_GT(wrong_under("data.merge_ranks_reversed", folder, vectors), 20u);
  EXPECT_GT(wrong_under("data.byte_alphabet_off", folder, vectors), 0u);
  const Tokenizer tokenizer = load_tokenizer(folder);
  EXPECT_EQ(tokenizer.vocabulary_size(), 50257);
  EXPECT_FALSE(tokenizer.adds_bos());
  EXPECT_THAT(tokenizer.encode("<|endoftext|>"), testing::ElementsAre(50256));
}

TEST(TokenizerVectors, SmolLM2GivesTheIdsOfTheReference) {
  const std::string file = data_path("models/smollm2/tokenizer_vectors.json"), model = smollm2_path();
  if (file.empty()) GTEST_SKIP() << no_data("models/smollm2");
  if (model.empty()) GTEST_SKIP() << no_smollm2();
  const auto vectors = read_json_vectors(file);
  ASSERT_EQ(vectors.size(), 47u);
  EXPECT_EQ(wrong_vectors(model, vectors), 0u);
  EXPECT_GT(wrong_under("data.digits_not_split", model, vectors), 0u);
  EXPECT_GT(wrong_under("data.merge_ranks_reversed", model, vectors), 20u);
  const Tokenizer tokenizer = load_tokenizer(model);
  EXPECT_EQ(tokenizer.vocabulary_size(), 49152);
  EXPECT_EQ(tokenizer.bos(), 1);
  EXPECT_EQ(tokenizer.eos(), 2);
  EXPECT_FALSE(tokenizer.adds_bos());
  EXPECT_TRUE(tokenizer.is_special(2));
}

TEST(TokenizerVectors, SmolLM2PromptsGiveTheIdsOfTheReference) {
  const std::string file = data_path("models/smollm2/expected.json"), model = smollm2_path();
  if (file.empty()) GTEST_SKIP() << no_data("models/smollm2");
  if (model.empty()) GTEST_SKIP() << no_smollm2();
  const Tokenizer tokenizer = load_tokenizer(model);
  const io::Json expected = io::read_json(file, ErrorKind::Data);  // a temporary would end before the loop
  for (const auto& prompt : expected["prompts"]) {
    EXPECT_EQ(tokenizer.encode(prompt["prompt"].get<std::string>()), prompt["ids"].get<std::vector<int32_t>>());
    const auto greedy = prompt["greedy"].get<std::vector<int32_t>>();
    EXPECT_EQ(tokenizer.decode(greedy, {.is_continuation = true}), prompt["greedy_text"].get<std::string>());
  }
}

TEST(TokenizerVectors, Stories260KGivesTheIdsOfTheReferenceWithItsOwnBos) {
  const std::string folder = data_path("models/stories260K");
  if (folder.empty()) GTEST_SKIP() << no_data("models/stories260K");
  const auto vectors = read_json_vectors(folder + "/tokenizer_vectors.json");
  ASSERT_EQ(vectors.size(), 20u);
  EXPECT_EQ(wrong_vectors(folder, vectors, true), 0u);
  EXPECT_GT(wrong_under("data.merge_ranks_reversed", folder, vectors, true), 10u);
  EXPECT_EQ(wrong_under("data.added_space_stays", folder, vectors, true), vectors.size());
  const Tokenizer tokenizer = load_tokenizer(folder);
  EXPECT_TRUE(tokenizer.adds_bos());
  EXPECT_EQ(tokenizer.bos(), 1);
  EXPECT_EQ(tokenizer.eos(), 2);
  EXPECT_EQ(tokenizer.vocabulary_size(), 512);
}

/// The same vocabulary as llama.cpp would write it: merges are given by scores, from the first token behind the bytes
/// on.
TEST(TokenizerVectors, Stories260KInAGgufFileGivesTheSameIds) {
  const std::string folder = data_path("models/stories260K");
  if (folder.empty()) GTEST_SKIP() << no_data("models/stories260K");
  const TokenizerDefinition definition = load_tokenizer(folder).definition();
  constexpr size_t kFirstScored = 259;
  const size_t count = definition.vocabulary.size();
  std::string scores = gguf_number(uint32_t{6}) + gguf_number(uint64_t{count});
  std::string types = gguf_number(uint32_t{5}) + gguf_number(uint64_t{count});
  for (size_t id = 0; id < count; ++id) {
    scores += gguf_number(id < kFirstScored ? 0.0F : -static_cast<float>(id - kFirstScored));
    types += gguf_number(int32_t{id == 0 ? 2 : id < 3 ? 3 : id < kFirstScored ? 6 : 1});
  }
  GgufWriter file;
  file.text("tokenizer.ggml.model", "llama").texts("tokenizer.ggml.tokens", definition.vocabulary);
  file.value("tokenizer.ggml.scores", 9, scores).value("tokenizer.ggml.token_type", 9, types);
  file.integer("tokenizer.ggml.bos_token_id", 1).integer("tokenizer.ggml.unknown_token_id", 0);
  const TemporaryFolder model;
  const std::string path = model.write("model.gguf", file.bytes());
  EXPECT_EQ(wrong_vectors(path, read_json_vectors(folder + "/tokenizer_vectors.json"), true), 0u);
  EXPECT_TRUE(load_tokenizer(path).adds_bos());
}

TEST(TokenizerVectors, ASavedTokenizerIsTheSameTokenizer) {
  for (const std::string& path : {data_path("tokenizers/gpt2"), data_path("models/stories260K"), smollm2_path()}) {
    if (path.empty()) continue;
    const Tokenizer tokenizer = load_tokenizer(path);
    const TemporaryFolder folder;
    save_tokenizer(tokenizer, folder.path());
    const Tokenizer again = load_tokenizer(folder.path());
    EXPECT_EQ(again.hash(), tokenizer.hash()) << path;
    EXPECT_EQ(again.chat_template(), tokenizer.chat_template()) << path;
    EXPECT_EQ(again.bos(), tokenizer.bos()) << path;
    EXPECT_EQ(again.encode("A 27th tree, naïve\n"), tokenizer.encode("A 27th tree, naïve\n")) << path;
  }
}

}  // namespace
}  // namespace assay::data
