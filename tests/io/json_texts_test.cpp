// Texts of a JSON object without the object, against the object.
#include "assay/io/json_texts.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "assay/core/philox.h"
#include "assay/core/twin.h"
#include "assay/io/json.h"

namespace assay::io {
namespace {

const std::vector<std::string> kWanted{"text", "group"};

std::optional<std::vector<std::string>> quick_texts(const std::string& json) {
  std::vector<std::string> values(kWanted.size());
  if (!extract_texts(json, kWanted, values)) return std::nullopt;
  return values;
}

/// The same by the tree; nothing where it is refused.
std::optional<std::vector<std::string>> texts_by_the_tree(const std::string& json) {
  try {
    const JsonObject object(parse_json(json, {.name = "x"}), {.name = "x"});
    return std::vector<std::string>{object.text("text"), object.text("group")};
  } catch (const Error&) {
    return std::nullopt;
  }
}

uint64_t below(uint64_t bound, uint64_t& draw) {
  return random_below(bound, 5, stream_of("tests.json"), draw++);
}

/// A random value, nested at most `depth` deep; small words, so that keys repeat and are missing.
std::string random_json(int depth, uint64_t& draw) {
  const std::vector<std::string> words{"text", "group", "a", "te\\\"xt", "\\u0074ext", "", "ж\\n"};
  const uint64_t kind = below(depth > 0 ? 9 : 6, draw);
  if (kind < 4) return "\"" + words[below(words.size(), draw)] + "\"";
  if (kind == 4) return std::to_string(below(1000, draw));
  if (kind == 5) return below(2, draw) == 0 ? "null" : "true";
  const bool is_object = kind > 6;
  std::string out = is_object ? "{" : "[";
  const uint64_t count = below(5, draw);
  for (uint64_t i = 0; i < count; ++i) {
    if (i > 0) out += ", ";
    if (is_object) out += "\"" + words[below(words.size(), draw)] + "\": ";
    out += random_json(depth - 1, draw);
  }
  return out + (is_object ? "}" : "]");
}

TEST(JsonTexts, AreThoseOfTheTree) {
  uint64_t draw = 0;
  int found = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string json =
        "{\"text\": " + random_json(3, draw) + ", \"b\": " + random_json(3, draw) + ", \"group\": \"g\"}";
    if (i % 5 == 0) json = random_json(4, draw);
    if (i % 7 == 0) json[below(json.size(), draw)] = static_cast<char>(below(256, draw));
    EXPECT_EQ(quick_texts(json), texts_by_the_tree(json)) << json;
    found += quick_texts(json) ? 1 : 0;
  }
  EXPECT_GT(found, 5'000);
  EXPECT_LT(found, 15'000);
}

TEST(JsonTexts, AKeyThatStandsTwiceIsLeftToTheTree) {
  const std::string twice = R"({"text": "a", "group": "g", "text": "b"})";
  EXPECT_FALSE(quick_texts(twice));
  EXPECT_FALSE(quick_texts(R"({"text": "a", "group": "g", "x": {"y": 1, "y": 2}})"));
  EXPECT_TRUE(quick_texts(R"({"text": "a", "group": "g", "x": [{"y": 1}, {"y": 2}]})"));
  const ScopedTwin twin("io.json_texts_of_the_last_key");
  EXPECT_TRUE(quick_texts(twice));
}

TEST(JsonTexts, WhatIsDeepOrWideIsLeftToTheTree) {
  const std::string head = R"({"text": "a", "group": "g")";
  EXPECT_TRUE(quick_texts(head + ", \"x\": " + std::string(60, '[') + std::string(60, ']') + "}"));
  EXPECT_FALSE(quick_texts(head + ", \"x\": " + std::string(100'000, '[') + std::string(100'000, ']') + "}"));
  std::string wide = head;
  for (int i = 0; i < 1000; ++i) wide += ", \"k" + std::to_string(i) + "\": 1";
  EXPECT_FALSE(quick_texts(wide + "}"));
  EXPECT_TRUE(texts_by_the_tree(wide + "}")) << "where it is found all the same";
}

}  // namespace
}  // namespace assay::io
