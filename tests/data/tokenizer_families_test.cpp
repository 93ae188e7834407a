// The families' pre-tokenizers, normalisation and added tokens, as their tokenizer.json write them, over GPT-2's
// vocabulary: ids recorded from the reference implementation (tokenizers 0.23.3, Hugging Face).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "assay/core/twin.h"
#include "assay/data/tokenizer.h"
#include "assay/io/json.h"
#include "tests/support/data.h"
#include "tests/support/temporary_folder.h"

namespace assay::data {
namespace {

using nlohmann::json;

constexpr const char* kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

json byte_level(bool uses_regex) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", uses_regex}};
}

json sequence(const json& first, const json& second) {
  return {{"type", "Sequence"}, {"pretokenizers", {first, second}}};
}

json split_by(const char* pattern) {
  return {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}};
}

json added(int id, const std::string& content, const std::vector<std::string>& flags = {}) {
  json token = {{"id", id}, {"content", content}, {"special", true}};
  for (const char* flag : {"single_word", "lstrip", "rstrip", "normalized"}) {
    token[flag] = std::find(flags.begin(), flags.end(), flag) != flags.end();
  }
  return token;
}

/// GPT-2's file with other parts.
class Families : public testing::Test {
 protected:
  void SetUp() override {
    const std::string folder = data_path("tokenizers/gpt2");
    if (folder.empty()) GTEST_SKIP() << no_data("tokenizers/gpt2");
    file_ = io::read_json(folder + "/tokenizer.json", ErrorKind::Model);
    file_["added_tokens"] = json::array({added(50256, "<|endoftext|>")});
  }

  Tokenizer load() const {
    const TemporaryFolder folder;
    folder.write("tokenizer.json", file_.dump());
    return load_tokenizer(folder.path());
  }

  void add_tokens(const std::vector<std::string>& contents) {
    for (const std::string& content : contents) {
      file_["added_tokens"].push_back(added(50256 + static_cast<int>(file_["added_tokens"].size()), content));
    }
  }

  json file_;
};

/// Texts that a tokenizer gives other ids, or whose ids do not give them (or their NFC, its ids being the same) back.
size_t wrong_ids(const Tokenizer& tokenizer, const std::vector<std::string>& texts,
                 const std::vector<std::vector<int32_t>>& expected) {
  size_t wrong = 0;
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::vector<int32_t> ids = tokenizer.encode(texts[i]);
    const bool comes_back = tokenizer.encode(tokenizer.decode(ids)) == ids;
    if (ids != expected.at(i) || !comes_back) ++wrong;
  }
  return wrong;
}

const std::vector<std::string>& texts() {
  static const std::vector<std::string> list{
      "hello  world",
      "1234567",
      "I'M 3.14159, you'LL'\u017f see\r\n\r\n  x",
      "  \t\n  indented\n\n\n    deeper   ",
      "(foo) [bar]{baz} !!\n??\n",
      "na\u00efve e\u0301 \u00c5 \u212b \u1100\u1161\u11a8 q\u0323\u0307",
      "\u00bd \u2177 \uff13\uff14 12\u00be \u0663",
      "\U0001f999\U0001f999\u200d \u2014 \u00ab\u00e9t\u00e9\u00bb \u6f22\u5b57\u304b\u306a",
      "a\u00a0b\u3000c\u2028d  e",
      "<|endoftext|> x<|endoftext|>\n<|im_end|>",
      "                                  x",
      "don't DON'T 'tis '",
      "_under_score__ --- ...\n\n...",
      "\u0301\u0327 marks first",
      " ",
  };
  return list;
}

std::vector<int32_t> repeated(int32_t id, size_t count, int32_t last) {
  std::vector<int32_t> ids(count, id);
  ids.push_back(last);
  return ids;
}

TEST_F(Families, Llama3CutsByItsPattern) {
  file_["pre_tokenizer"] = sequence(split_by(kLlama3), byte_level(false));
  file_["model"]["ignore_merges"] = true;
  add_tokens({"<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>"});
  file_["post_processor"] = json::parse(R"({"type": "Sequence", "processors": [{"type": "ByteLevel"},
      {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<|begin_of_text|>", "type_id": 0}},
       {"Sequence": {"id": "A", "type_id": 0}}]}]})");
  const std::vector<std::vector<int32_t>> expected{
      {31373, 220, 995},
      {10163, 29228, 22},
      {40, 6, 44, 220, 18, 13, 23756, 3270, 11, 345, 6, 3069, 6, 129, 123, 766, 201, 198, 201, 198, 220, 2124},
      {220, 220, 197, 198, 220, 773, 4714, 628, 198, 220, 220, 220, 9211, 220, 220, 220},
      {7, 21943, 8, 685, 5657, 60, 90, 65, 1031, 92, 37867, 198, 3548, 198},
      {2616, 38776, 304, 136, 223, 6184, 227, 2343,  226, 104, 28053, 226,
       222,  157,   227, 94,  157, 228,  101, 10662, 136, 96,  136,   229},
      {23141, 220, 158, 227, 115, 220, 171, 120, 241, 171, 120, 242, 220, 1065, 126, 122, 220, 149, 96},
      {8582,  99,   247,   8582,  99,  247, 447,   235, 851,   21110,
       25125, 2634, 17730, 10545, 120, 95,  27764, 245, 27370, 26945},
      {64, 1849, 65, 5099, 222, 66, 447, 101, 67, 220, 304},
      {50256, 2124, 50256, 198, 27, 91, 320, 62, 437, 91, 29},
      repeated(220, 33, 2124),
      {9099, 470, 23917, 6, 51, 705, 48010, 705},
      {62, 4625, 62, 26675, 834, 11420, 2644, 628, 986},
      {136, 223, 136, 100, 8849, 717},
      {220},
  };
  EXPECT_EQ(wrong_ids(load(), texts(), expected), 0u);
  EXPECT_TRUE(load().adds_bos());
  EXPECT_EQ(load().bos(), 50257);
  const ScopedTwin error("data.last_space_kept");
  EXPECT_GT(wrong_ids(load(), texts(), expected), 3u);
}

TEST_F(Families, Qwen2CutsByItsPatternAfterNfc) {
  file_["normalizer"] = {{"type", "NFC"}};
  file_["pre_tokenizer"] = sequence(split_by(kQwen2), byte_level(false));
  add_tokens({"<|im_start|>", "<|im_end|>"});
  const std::vector<std::vector<int32_t>> expected{
      {31373, 220, 995},
      {16, 17, 18, 19, 20, 21, 22},
      {40, 6, 44, 220, 18, 13, 16, 19, 16, 20, 24, 11, 345, 6, 3069, 6, 129, 123, 766, 201, 198, 201, 198, 220, 2124},
      {220, 220, 197, 198, 220, 773, 4714, 628, 198, 220, 220, 220, 9211, 220, 220, 220},
      {7, 21943, 8, 685, 5657, 60, 90, 65, 1031, 92, 37867, 198, 3548, 198},
      {2616, 38776, 38251, 6184, 227, 6184, 227, 220, 166, 108, 223, 10662, 136, 96, 136, 229},
      {23141, 220, 158, 227, 115, 220, 171, 120, 241, 171, 120, 242, 220, 16, 17, 126, 122, 220, 149, 96},
      {8582,  99,   247,   8582,  99,  247, 447,   235, 851,   21110,
       25125, 2634, 17730, 10545, 120, 95,  27764, 245, 27370, 26945},
      {64, 1849, 65, 5099, 222, 66, 447, 101, 67, 220, 304},
      {50256, 2124, 50256, 198, 50258},
      repeated(220, 33, 2124),
      {9099, 470, 23917, 6, 51, 705, 48010, 705},
      {62, 4625, 62, 26675, 834, 11420, 2644, 628, 986},
      {136, 100, 136, 223, 8849, 717},
      {220},
  };
  EXPECT_EQ(wrong_ids(load(), texts(), expected), 0u);
  EXPECT_FALSE(load().adds_bos());
  EXPECT_EQ(load().bos(), std::nullopt);
  const ScopedTwin error("data.nfc_skipped");
  EXPECT_GT(wrong_ids(load(), texts(), expected), 0u);
}

TEST_F(Families, NeoxHasTokensForRunsOfSpaces) {
  file_["normalizer"] = {{"type", "NFC"}};
  add_tokens({"<|padding|>"});
  for (int i = 0; i < 23; ++i) {
    json token = added(50258 + i, std::string(static_cast<size_t>(24 - i), ' '), {"normalized"});
    token["special"] = false;
    file_["added_tokens"].push_back(token);
  }
  const std::vector<std::vector<int32_t>> expected{
      {31373, 50280, 6894},
      {10163, 2231, 3134},
      {40, 6, 44, 513, 13, 1415, 19707, 11, 345, 6, 3069, 6, 129, 123, 766, 201, 198, 201, 198, 50280, 87},
      {50280, 197, 198, 50280, 521, 4714, 628, 198, 50278, 67, 41278, 50279},
      {7, 21943, 8, 685, 5657, 60, 90, 65, 1031, 92, 37867, 198, 3548, 198},
      {2616, 38776, 38251, 6184, 227, 6184, 227, 220, 166, 108, 223, 10662, 136, 96, 136, 229},
      {23141, 2343, 227, 115, 27332, 120, 241, 171, 120, 242, 1105, 126, 122, 18923, 96},
      {8582,  99,   247,   8582,  99,  247, 447,   235, 851,   21110,
       25125, 2634, 17730, 10545, 120, 95,  27764, 245, 27370, 26945},
      {64, 1849, 65, 5099, 222, 66, 447, 101, 67, 50280, 68},
      {50256, 2124, 50256, 198, 27, 91, 320, 62, 437, 91, 29},
      {50258, 50272, 87},
      {9099, 470, 23917, 6, 51, 705, 48010, 705},
      {62, 4625, 62, 26675, 834, 11420, 2644, 198, 198, 986},
      {136, 100, 136, 223, 8849, 717},
      {220},
  };
  EXPECT_EQ(wrong_ids(load(), texts(), expected), 0u);
  const ScopedTwin error("data.added_tokens_shortest_first");
  EXPECT_GT(wrong_ids(load(), texts(), expected), 1u);
}

TEST_F(Families, SmolLM2CutsDigitsFirst) {
  file_["pre_tokenizer"] = sequence({{"type", "Digits"}, {"individual_digits", true}}, byte_level(true));
  add_tokens({"<|im_end|>"});
  const std::vector<std::vector<int32_t>> expected{
      {31373, 220, 995},
      {16, 17, 18, 19, 20, 21, 22},
      {40, 6, 44, 220, 18, 13, 16, 19, 16, 20, 24, 11, 345, 6, 3069, 6, 129, 123, 766, 201, 198, 201, 198, 220, 2124},
      {220, 220, 197, 198, 220, 773, 4714, 628, 198, 220, 220, 220, 9211, 220, 220, 220},
      {7, 21943, 8, 685, 5657, 60, 90, 65, 1031, 92, 37867, 198, 3548, 198},
      {2616, 38776, 304, 136, 223, 6184, 227, 2343,  226, 104, 28053, 226,
       222,  157,   227, 94,  157, 228,  101, 10662, 136, 96,  136,   229},
      {23141, 220, 158, 227, 115, 220, 171, 120, 241, 171, 120, 242, 220, 16, 17, 126, 122, 220, 149, 96},
      {8582,  99,   247,   8582,  99,  247, 447,   235, 851,   21110,
       25125, 2634, 17730, 10545, 120, 95,  27764, 245, 27370, 26945},
      {64, 1849, 65, 5099, 222, 66, 447, 101, 67, 220, 304},
      {50256, 2124, 50256, 198, 50257},
      repeated(220, 33, 2124),
      {9099, 470, 23917, 6, 51, 705, 48010, 705},
      {62, 4625, 62, 26675, 834, 11420, 2644, 198, 198, 986},
      {136, 223, 136, 100, 8849, 717},
      {220},
  };
  EXPECT_EQ(wrong_ids(load(), texts(), expected), 0u);
  const ScopedTwin error("data.digits_not_split");
  EXPECT_GT(wrong_ids(load(), texts(), expected), 1u);
}

TEST_F(Families, Gpt2CutsByItsPattern) {
  const std::vector<std::vector<int32_t>> expected{
      {31373, 220, 995},
      {10163, 2231, 3134},
      {40, 6, 44, 513, 13, 1415, 19707, 11, 345, 6, 3069, 6, 129, 123, 766, 201, 198, 201, 198, 220, 2124},
      {220, 220, 197, 198, 220, 773, 4714, 628, 198, 220, 220, 220, 9211, 220, 220, 220},
      {7, 21943, 8, 685, 5657, 60, 90, 65, 1031, 92, 37867, 198, 3548, 198},
      {2616, 38776, 304, 136, 223, 6184, 227, 2343,  226, 104, 28053, 226,
       222,  157,   227, 94,  157, 228,  101, 10662, 136, 96,  136,   229},
      {23141, 2343, 227, 115, 27332, 120, 241, 171, 120, 242, 1105, 126, 122, 18923, 96},
      {8582,  99,   247,   8582,  99,  247, 447,   235, 851,   21110,
       25125, 2634, 17730, 10545, 120, 95,  27764, 245, 27370, 26945},
      {64, 1849, 65, 5099, 222, 66, 447, 101, 67, 220, 304},
      {50256, 2124, 50256, 198, 27, 91, 320, 62, 437, 91, 29},
      repeated(220, 33, 2124),
      {9099, 470, 23917, 6, 51, 705, 48010, 705},
      {62, 4625, 62, 26675, 834, 11420, 2644, 198, 198, 986},
      {136, 223, 136, 100, 8849, 717},
      {220},
  };
  EXPECT_EQ(wrong_ids(load(), texts(), expected), 0u);
  const ScopedTwin error("data.last_space_kept");
  EXPECT_GT(wrong_ids(load(), texts(), expected), 3u);
}

/// White space that tokens take, words that they must be, NFC that they have.
TEST_F(Families, AddedTokensMatchAsTheirFlagsSay) {
  file_["normalizer"] = {{"type", "NFC"}};
  json& tokens = file_["added_tokens"];
  tokens.push_back(added(50257, "<mask>", {"lstrip"}));
  tokens.push_back(added(50258, "<r>", {"rstrip"}));
  tokens.push_back(added(50259, "zqz", {"single_word", "normalized"}));
  tokens.push_back(added(50260, "e\u0301", {"normalized"}));
  tokens.push_back(added(50261, "lzqr", {"lstrip", "rstrip", "single_word"}));
  tokens.push_back(added(50262, "  "));
  tokens.push_back(added(50263, "<mask><r>"));
  const std::vector<std::string> marked{
      "a <mask> b",
      "<mask>\n\n<mask>x",
      "  <r>  \n y",
      "<r><mask>",
      "<mask><r>",
      "zqz zqzz zqz.",
      "azqz zqz",
      "_zqz zqz-zqz",
      " lzqr \t b",
      "xlzqr lzqrx lzqr",
      "e\u0301 \u00e9 cafe\u0301",
      "a  b   c",
      "<|endoftext|> <mask> <|endoftext|>",
      "\u3000<mask>\u00a0\u2028<r>\u0085x",
  };
  const std::vector<std::vector<int32_t>> expected{
      {64, 50257, 275},
      {50257, 50257, 87},
      {50262, 50258, 50262, 198, 331},
      {50258, 50257},
      {50263},
      {50259, 1976, 80, 3019, 220, 50259, 13},
      {1031, 80, 89, 220, 50259},
      {62, 89, 80, 89, 220, 50259, 12, 50259},
      {50261, 65},
      {87, 75, 89, 80, 81, 300, 89, 80, 40914, 50261},
      {50260, 220, 50260, 19945, 50260},
      {64, 50262, 65, 50262, 269},
      {50256, 50257, 220, 50256},
      {50257, 1849, 447, 101, 50258, 87},
  };
  const auto wrong = [&] {
    const Tokenizer tokenizer = load();
    size_t count = 0;
    for (size_t i = 0; i < marked.size(); ++i) count += tokenizer.encode(marked[i]) == expected[i] ? 0 : 1;
    return count;
  };
  EXPECT_EQ(wrong(), 0u);
  for (const char* twin :
       {"data.lstrip_ignored", "data.rstrip_ignored", "data.single_word_ignored", "data.nfc_skipped"}) {
    const ScopedTwin error(twin);
    EXPECT_GT(wrong(), 0u) << twin;
  }
}

}  // namespace
}  // namespace assay::data
