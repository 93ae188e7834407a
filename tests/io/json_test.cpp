#include "assay/io/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "assay/core/twin.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"

namespace assay::io {
namespace {

JsonObject object(const std::string& text) {
  return JsonObject(parse_json(text, {.name = "config.json", .kind = ErrorKind::Model}),
                    {.name = "config.json", .kind = ErrorKind::Model});
}

void expect_parse_refusal(const std::string& text, const std::string& words) {
  EXPECT_THAT(error_of([&] { object(text); }), Refusal(ErrorKind::Model, words));
}

TEST(Json, ABrokenTextIsRefusedByLineAndColumn) {
  expect_parse_refusal("{\n  \"a\": 1,\n  \"b\": }", "at line 3, column 8 there is a syntax error");
  expect_parse_refusal("", "line 1, column 1");
  expect_parse_refusal("{\"a\": \"\xff\"}", "must be JSON");
  expect_parse_refusal("{} {}", "must be JSON");
  expect_parse_refusal("{\"a\": 1e999}", "must be JSON");
  // The parser's words have semicolons of their own: what to do next follows all the same, once.
  expect_parse_refusal("{", "unexpected end of input, expected string literal; fetch or convert the model again");
  expect_parse_refusal("{\"a\": 1;}", "invalid literal, last read: \"1;\"");
  expect_parse_refusal("{\"a\": 1;}", "; fetch or convert the model again");
  EXPECT_THAT(error_of([] { parse_json("{", {.name = "x.jsonl", .first_line = 41}); }),
              Refusal(ErrorKind::Data, "line 41"));
}

TEST(Json, AKeyGivenTwiceIsRefusedAtEveryDepthUnlessAskedFor) {
  const std::string twice = R"({"a": [{"b": 1, "b": 2}], "b": 3})";
  expect_parse_refusal(twice, R"("b" stands there twice in line 1; remove one of them)");
  expect_parse_refusal("{\"a\": 1,\n\"a\": 2}", R"("a" stands there twice; remove one of them)");
  EXPECT_EQ(parse_json(twice, {.name = "x"}, DuplicateKeys::KeepLast)["a"][0]["b"], 2);
  EXPECT_NO_THROW(object(R"({"a": {"b": 1}, "b": {"b": 2}})"));
  const ScopedTwin twin("io.json_duplicate_key_kept");
  EXPECT_NO_THROW(object(twice));
}

TEST(Json, NestsAtMost256Deep) {
  const auto refusal = [](size_t depth, const std::string& open, const std::string& close,
                          DuplicateKeys duplicates = DuplicateKeys::Refuse) {
    std::string text;
    for (size_t i = 0; i < depth; ++i) text += open;
    text += "1";
    for (size_t i = 0; i < depth; ++i) text += close;
    return error_of([&] { brief(parse_json(text, {.name = "deep", .kind = ErrorKind::Model}, duplicates)); });
  };
  const auto too_deep = Refusal(ErrorKind::Model, "must nest at most 256 deep, but these nest deeper");
  EXPECT_FALSE(refusal(256, "[", "]"));
  EXPECT_FALSE(refusal(256, R"({"a":)", "}"));
  for (const size_t depth : {257u, 200'000u}) {
    EXPECT_THAT(refusal(depth, "[", "]"), too_deep);
    EXPECT_THAT(refusal(depth, R"({"a":)", "}"), too_deep);
    EXPECT_THAT(refusal(depth, "[", "]", DuplicateKeys::KeepLast), too_deep);
  }
  EXPECT_THAT(refusal(200'000, "[", ""), too_deep) << "before the text is found to be no JSON";
  const ScopedTwin twin("io.json_depth_unchecked");
  EXPECT_FALSE(refusal(257, "[", "]"));
}

TEST(JsonObject, ReturnsValuesAndFallbacks) {
  const JsonObject config = object(R"({"size": 64, "eps": 1e-5, "one": 1, "tied": true, "name": "é", "none": null,
                                       "rope": {"factor": 8}, "layers": [1, -2], "words": ["a", "b"], "list": [{"x": 1}]})");
  EXPECT_EQ(config.positive("size"), 64);
  EXPECT_EQ(config.real("eps"), 1e-5);
  EXPECT_EQ(config.real("one"), 1.0);
  EXPECT_TRUE(config.boolean("tied"));
  EXPECT_EQ(config.text("name"), "é");
  EXPECT_EQ(config.object("rope").integer("factor"), 8);
  EXPECT_EQ(config.integers("layers"), (std::vector<int64_t>{1, -2}));
  EXPECT_EQ(config.texts("words"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(config.objects("list")[0].integer("x"), 1);
  EXPECT_FALSE(config.has("none"));
  EXPECT_EQ(config.integer_or("none", 5), 5);
  EXPECT_EQ(config.text_or("absent", "x"), "x");
}

TEST(JsonObject, AWrongValueIsNamedWithItsPathTheRuleAndWhatWasFound) {
  const JsonObject config = object(R"({"hidden_size": "x", "n": 0, "big": 18446744073709551615, "f": 1.5,
                                       "rope": {"type": 3}, "list": [1, "a"], "objects": [{}, {"k": []}], "null": null})");
  const auto refusal = [&](auto&& call, const std::string& words) {
    EXPECT_THAT(error_of(call), Refusal(ErrorKind::Model, words));
  };
  refusal([&] { config.positive("hidden_size"); },
          R"(reading "config.json": "hidden_size" must be a positive integer, but it is "x")");
  refusal([&] { config.positive("n"); }, "must be a positive integer, but it is 0");
  refusal([&] { config.integer("n", 1, 9); }, "must be an integer from 1 to 9, but it is 0");
  refusal([&] { config.integer("big"); }, "must be an integer, but it is 18446744073709551615");
  refusal([&] { config.integer("f"); }, "must be an integer, but it is 1.5");
  refusal([&] { config.real("hidden_size"); }, "must be a number");
  refusal([&] { config.boolean("n"); }, "must be true or false");
  refusal([&] { config.object("rope").text("type"); }, R"("rope.type" must be a text, but it is 3)");
  refusal([&] { config.texts("list"); }, "must be a list of texts");
  refusal([&] { config.objects("objects")[1].text("k"); }, R"("objects[1].k" must be a text, but it is [])");
  refusal([&] { config.text("hiden_size"); }, R"(but it is missing; closest: "hidden_size")");
  refusal([&] { config.text("null"); }, "but it is null");
  refusal([&] { config.object("n"); }, R"("n" must be a JSON object, but it is 0)");
  refusal([&] { object("[1]"); }, "it must be a JSON object, but it is [1]");
  refusal(
      [&] {
        object(R"({"dmping": 1})").refuse_unknown({"damping", "rank"});
      },
      R"("dmping" is not; closest: "damping")");
}

TEST(JsonObject, APositiveNumberIsNoZeroAndNotNegative) {
  const JsonObject config = object(R"({"good": 1e-5, "one": 1, "zero": 0, "negative": -1.5, "text": "1"})");
  EXPECT_EQ(config.positive_real("good"), 1e-5);
  EXPECT_EQ(config.positive_real_or("one", 2), 1);
  EXPECT_EQ(config.positive_real_or("absent", 2), 2);
  for (const char* key : {"zero", "negative"}) {
    EXPECT_THAT(error_of([&] { config.positive_real(key); }),
                Refusal(ErrorKind::Model, "must be a positive finite number, but it is "));
  }
  EXPECT_THAT(error_of([&] { config.positive_real("text"); }), Refusal(ErrorKind::Model, "must be a number"));
  const ScopedTwin twin("io.json_not_positive");
  EXPECT_EQ(config.positive_real("zero"), 0);
}

TEST(JsonObject, AnObjectInsideOutlivesItsParent) {
  const JsonObject inner = object(R"({"a": {"b": 7}})").object("a");
  EXPECT_EQ(inner.integer("b"), 7);
}

TEST(Json, ALongValueIsCutBetweenCharacters) {
  std::string long_text;
  for (int i = 0; i < 100; ++i) long_text += "é";
  const std::string shown = brief(Json(long_text));
  EXPECT_LT(shown.size(), 70u);
  EXPECT_NO_THROW(Json(shown).dump());
  EXPECT_TRUE(shown.ends_with("…\"")) << "what is quoted is closed, so that advice behind it is found: " << shown;
}

}  // namespace
}  // namespace assay::io
