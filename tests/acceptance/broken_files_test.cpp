// Every rule of the two weight formats through the program, beyond those of bad_weights_test.cpp: exit code 4 and one
// sentence with the word that tells which rule was broken. Two programs run at a time: each spends its time on loading.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>

#include "tests/acceptance/program.h"
#include "tests/acceptance/tiny_model.h"
#include "tests/support/gguf_writer.h"

namespace assay {
namespace {

using testing::HasSubstr;

class BrokenFiles : public testing::Test {
 protected:
  using Files = std::map<std::string, std::string>;  // bytes by name

  /// A model folder of these files beside a sound configuration.
  void folder_of(const std::string& words, const Files& files) {
    const std::string name = std::to_string(cases_.size());
    folder_.write(name + "/config.json", tiny_config().dump());
    for (const auto& [file, bytes] : files) folder_.write(name + "/" + file, bytes);
    cases_.push_back({folder_ / name, words});
  }
  void weights(const std::string& words, const std::string& bytes) { folder_of(words, {{"model.safetensors", bytes}}); }
  void shards(const std::string& words, const std::string& index, const Files& files = {}) {
    Files all = files;
    all["model.safetensors.index.json"] = index;
    folder_of(words, all);
  }
  void gguf(const std::string& words, const std::string& bytes) {
    cases_.push_back({folder_.write(std::to_string(cases_.size()) + ".gguf", bytes), words});
  }
  void gguf(const std::string& words, const GgufWriter& writer) { gguf(words, writer.bytes()); }
  void add(const std::string& path, const std::string& words) { cases_.push_back({path, words}); }

  void expect_refusals() const {
    for (size_t first = 0; first < cases_.size(); first += 2) {
      std::deque<Running> pair;
      for (size_t i = first; i < std::min(first + 2, cases_.size()); ++i) {
        pair.emplace_back(std::vector<std::string>{"inspect", cases_[i].path, "--quiet"});
      }
      for (size_t i = 0; i < pair.size(); ++i) {
        const Outcome outcome = pair[i].wait();
        SCOPED_TRACE(cases_[first + i].words);
        EXPECT_EQ(outcome.exit_code, 4) << outcome.err;
        EXPECT_TRUE(is_one_sentence(outcome.err, "model")) << outcome.err;
        EXPECT_THAT(outcome.err, HasSubstr(cases_[first + i].words));
        EXPECT_EQ(outcome.out, "");
      }
    }
  }

  TemporaryFolder folder_;

 private:
  struct Case {
    std::string path, words;
  };
  std::vector<Case> cases_;
};

std::string with_length(const std::string& header, const std::string& data = "") {
  return gguf_number(uint64_t{header.size()}) + header + data;
}

/// A file of one tensor "x" with these fields.
std::string only_x(const std::string& fields, const std::string& data = "abcd") {
  return with_length(R"({"x":{)" + fields + "}}", data);
}

/// A sound file of one byte.
std::string one_byte(const std::string& tensor) {
  return with_length("{\"" + tensor + R"(":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "x");
}

TEST_F(BrokenFiles, TheHeaderOfSafetensors) {
  weights("the file must not be empty", "");
  weights("must begin with '{'", std::string(8, '\0'));
  weights("must be JSON, but at line 1, column 6", with_length("{\"x\":"));
  weights("must be JSON", with_length("{} x"));
  weights(R"("__metadata__" must be an object of texts, but it is [])", with_length(R"({"__metadata__":[]})"));
  weights(R"("__metadata__" must hold texts only, but "a" is 1)", with_length(R"({"__metadata__":{"a":1}})"));
  expect_refusals();
}

TEST_F(BrokenFiles, TheTensorsOfSafetensors) {
  weights("must be a JSON object, but it is 1", with_length(R"({"x":1})"));
  weights(R"(a\x0a\x1b[31mb)", with_length(R"({"a\n\u001b[31mb":1})"));
  weights(R"("stride" is not)", only_x(R"("dtype":"F32","shape":[1],"data_offsets":[0,4],"stride":[1])"));
  weights(R"("dtype" must be given)", only_x(R"("shape":[1],"data_offsets":[0,4])"));
  weights(R"("dtype" must be a text, but it is 32)", only_x(R"("dtype":32,"shape":[1],"data_offsets":[0,4])"));
  weights("sizes that are not negative", only_x(R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])"));
  weights("must be a list of integers", only_x(R"("dtype":"F32","shape":[1.0],"data_offsets":[0,4])"));
  weights("product fits 63 bits", only_x(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4])"));
  weights("two offsets [begin, end]", only_x(R"("dtype":"F32","shape":[1],"data_offsets":[0])"));
  weights("0 <= begin <= end", only_x(R"("dtype":"F32","shape":[1],"data_offsets":[4,0])"));
  weights("of F32 [2] must take 8 bytes, but its data_offsets span 4",
          only_x(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])"));
  expect_refusals();
}

TEST_F(BrokenFiles, TheBytesOfSafetensors) {
  const auto two = [](const std::string& second, const std::string& data) {
    return with_length(R"({"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"y":{"dtype":"U8","shape":[4],)"
                       R"("data_offsets":)" +
                           second + "}}",
                       data);
  };
  weights("which leaves a gap", two("[5,9]", "abcdefghi"));
  weights("the file is too long", two("[4,8]", "abcdefghi"));
  weights("they take 8 of 7 bytes after the header; the file is cut off", two("[4,8]", "abcdefg"));
  expect_refusals();
}

TEST_F(BrokenFiles, TheIndexOfShards) {
  shards("must be a JSON object", "[1]");
  shards(R"("weight_map" must be given)", "{}");
  shards(R"("weight_map.a" must be a text, but it is 3)", R"({"weight_map":{"a":3}})");
  shards("there is none of this name", R"({"weight_map":{"a":"absent.safetensors"}})");
  for (const std::string outside : {"", "../0/x.safetensors", "x/../../x.safetensors", "/etc/passwd"}) {
    shards("a shard must be a file inside the folder, but \"weight_map\" names \"" + outside + "\"",
           R"({"weight_map":{"a":")" + outside + "\"}}");
  }
  shards(R"(shard "one.safetensors" must hold tensor "a")", R"({"weight_map":{"a":"one.safetensors"}})",
         {{"one.safetensors", one_byte("b")}});
  shards("every tensor of a shard must be mapped to it by \"weight_map\", but \"a\" of \"two.safetensors\" is not",
         R"({"weight_map":{"a":"one.safetensors","b":"three.safetensors","c":"two.safetensors"}})",
         {{"one.safetensors", one_byte("a")},
          {"three.safetensors", one_byte("b")},
          {"two.safetensors", with_length(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                                          R"("c":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                                          "xy")}});
  shards("two.safetensors (header)\"", R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})",
         {{"one.safetensors", one_byte("a")}, {"two.safetensors", with_length("{\"b\":")}});
  folder_of("the folder must hold model.safetensors, model.safetensors.index.json or one .gguf file", {});
  expect_refusals();
}

TEST_F(BrokenFiles, TheMetadataOfGguf) {
  GgufWriter big_endian;
  big_endian.version = 0x03000000;
  gguf("this one is big-endian", big_endian);
  gguf("must have one of the 13 value types (0 to 12), but it has type 13", GgufWriter().value("k", 13, "x"));
  gguf(R"("a\x0ab" must have one of)", GgufWriter().value("a\nb", 13, "x"));
  gguf("an item of metadata \"k\" must have one of the 13 value types",
       GgufWriter().value("k", 9, gguf_number(uint32_t{99}) + gguf_number(uint64_t{1})));
  gguf("must be a truth value, 0 or 1, but it is 2", GgufWriter().value("k", 7, "\x02"));
  gguf("must have 1 to 65535 bytes, but one has 0", GgufWriter().value("", 7, "\x01"));
  gguf("must have 1 to 65535 bytes, but one has 65536", GgufWriter().integer(std::string(65536, 'k'), 1));
  gguf("metadata \"k\" must be given once", GgufWriter().integer("k", 1).integer("k", 2));
  gguf("(18446744073709551615 bytes)", GgufWriter().value("k", 8, gguf_number(~uint64_t{0})));
  gguf("states a list of 1152921504606846976",
       GgufWriter().value("k", 9, gguf_number(uint32_t{4}) + gguf_number(uint64_t{1} << 60)));
  std::string deep;
  for (int i = 0; i < 10; ++i) deep += gguf_number(uint32_t{9}) + gguf_number(uint64_t{1});
  gguf("must not nest lists more than 4 deep", GgufWriter().value("k", 9, deep));
  gguf("must be a power of two up to 2^30, but it is 24", GgufWriter().integer("general.alignment", 24));
  gguf("must be a positive integer, but it is \"32\"", GgufWriter().text("general.alignment", "32"));
  expect_refusals();
}

TEST_F(BrokenFiles, TheTensorsOfGguf) {
  const std::string w(64, 'w');
  gguf("at most 4 dimensions, but it has 5", GgufWriter().tensor("w", {1, 1, 1, 1, 4}, 0, w));
  gguf("must have positive sizes, but one of them is 0", GgufWriter().tensor("w", {0, 4}, 0, w));
  gguf("fit 63 bits", GgufWriter().tensor("w", {uint64_t{1} << 62, 8}, 0, w));
  gguf("rows of whole blocks of 32", GgufWriter().tensor("w", {33}, 8, w));
  gguf("tensor \"w\" must be listed once", GgufWriter().tensor("w", {4}, 0, w).tensor("w", {4}, 0, w));
  gguf("must begin at a multiple of 32 bytes, but its offset is 12",
       GgufWriter().tensor("v", {16}, 0, w).tensor_at("w", {4}, 0, 12));
  gguf("must not overlap another tensor", GgufWriter().tensor("v", {16}, 0, w).tensor_at("w", {4}, 0, 32));
  gguf("it takes 4 bytes at offset 1152921504606846976 of 64 bytes of data",
       GgufWriter().tensor("v", {16}, 0, w).tensor_at("w", {1}, 0, uint64_t{1} << 60));
  expect_refusals();
}

TEST_F(BrokenFiles, AGgufCutWhereverItIsRead) {
  GgufWriter writer;
  writer.text("general.architecture", "llama").tensor("output_norm.weight", {16}, 0, std::string(64, '\0'));
  const std::string whole = writer.bytes();
  ASSERT_EQ(whole.size(), 192u);  // head 24, metadata to 69, table to 119, filled up to 128, data 64
  for (const auto& [bytes, part] :
       {std::pair(size_t{3}, "the magic word GGUF at byte 0"), std::pair(size_t{6}, "the format version"),
        std::pair(size_t{54}, "the type of metadata \"general.architecture\""),
        std::pair(size_t{85}, "the name of tensor 1"),
        std::pair(size_t{105}, "the shape of tensor \"output_norm.weight\""),
        std::pair(size_t{115}, "the offset of tensor")}) {
    gguf(std::string("the file must hold ") + part, whole.substr(0, bytes));
  }
  gguf("must lie inside the file, but it takes 64 bytes at offset 0 of 0 bytes of data", whole.substr(0, 128));
  expect_refusals();
}

/// What a Llama of the tiny size states, without one key.
GgufWriter llama_without(const std::string& key) {
  GgufWriter writer;
  writer.text("general.architecture", "llama");
  for (const auto& [name, number] :
       {std::pair("attention.head_count", 2u), std::pair("embedding_length", 16u),
        std::pair("feed_forward_length", 24u), std::pair("block_count", 2u), std::pair("context_length", 16u)}) {
    if (name != key) writer.integer(std::string("llama.") + name, number);
  }
  if (key != "epsilon") writer.real("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  if (key != "tokens") writer.texts("tokenizer.ggml.tokens", {"<unk>", "the", "cat", "dog", "sat", "on", "mat", "ran"});
  return writer;
}

TEST_F(BrokenFiles, AGgufThatIsNoLlamaOfOurs) {
  gguf("\"general.architecture\" must be given", GgufWriter());
  gguf("\"general.architecture\" must be a text, but it is 1", GgufWriter().integer("general.architecture", 1));
  gguf("must be one that Assay reads from GGUF (gpt2, gptneox, llama, qwen2), but it is \"gemma\"",
       GgufWriter().text("general.architecture", "gemma"));
  gguf("\"llama.block_count\" must be given", llama_without("block_count"));
  gguf("\"llama.embedding_length\" must be a positive integer, but it is \"wide\"",
       llama_without("embedding_length").text("llama.embedding_length", "wide"));
  gguf("\"llama.attention.head_count\" must be a positive integer, but it is 0",
       llama_without("attention.head_count").integer("llama.attention.head_count", 0));
  gguf("must be a number, but it is \"small\"",
       llama_without("epsilon").text("llama.attention.layer_norm_rms_epsilon", "small"));
  gguf("must be a list of texts, but it is 8", llama_without("tokens").integer("tokenizer.ggml.tokens", 8));
  gguf("must be absent, none or linear, the scalings that Assay knows by name, but it is \"yarn\"",
       llama_without("").text("llama.rope.scaling.type", "yarn"));
  gguf("\"llama.embedding_length\" must be a multiple of the 3 heads, but it is 16",
       llama_without("attention.head_count").integer("llama.attention.head_count", 3));
  gguf("must be such that each of the 2 heads has an even width, which rotary positions need, but it is 3",
       llama_without("").integer("llama.attention.key_length", 3));
  gguf("\"llama.attention.value_length\" must be 8, the width of the keys, but it is 4",
       llama_without("").integer("llama.attention.value_length", 4));
  gguf("\"llama.rope.dimension_count\" must be 8, the width of a head",
       llama_without("").integer("llama.rope.dimension_count", 4));
  gguf("\"llama.attention.head_count_kv\" must be a divisor of the 2 heads, but it is 3",
       llama_without("").integer("llama.attention.head_count_kv", 3));
  gguf("tensor \"token_embd.weight\" must be there, but it is not among the 0 tensors", llama_without(""));
  folder_.write("both/a.gguf", "GGUF");
  folder_.write("both/b.gguf", "GGUF");
  add(folder_ / "both", "a folder must hold one .gguf file, and this holds 2");
  expect_refusals();
}

}  // namespace
}  // namespace assay
