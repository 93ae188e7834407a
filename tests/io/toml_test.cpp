#include "assay/io/toml.h"

#include <gtest/gtest.h>

#include "assay/core/twin.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"

namespace assay::io {
namespace {

Recipe recipe(const std::string& text) {
  return Recipe::parse(text, "r.toml");
}

template <class Call>
void expect_refusal(Call&& call, const std::string& words) {
  EXPECT_THAT(error_of(call), Refusal(ErrorKind::Usage, words));
}

TEST(Recipe, GivesTypedValuesDefaultsAndTables) {
  const Recipe r = recipe(
      "epochs = 14\nrate = 3e-3\nwarm = 1\nclip = true\nname = 'tiny'\nschedule = 'cosine'\n"
      "hidden = [64, 32]\nmix = [0.5, 1]\nwords = ['a', 'b']\n"
      "[model]\nwidth = 64\n[[phase]]\nsteps = 1\n[[phase]]\nsteps = 2\n");
  EXPECT_EQ(r.integer("epochs", {.least = 1}), 14);
  EXPECT_EQ(r.real("rate", {.least = 0, .above_least = true}), 3e-3);
  EXPECT_EQ(r.real("warm"), 1.0);
  EXPECT_TRUE(r.boolean("clip"));
  EXPECT_EQ(r.text("name"), "tiny");
  const std::vector<std::string> schedules{"constant", "cosine"};
  EXPECT_EQ(r.choice("schedule", schedules), "cosine");
  EXPECT_EQ(r.integers("hidden"), (std::vector<int64_t>{64, 32}));
  EXPECT_EQ(r.reals("mix"), (std::vector<double>{0.5, 1}));
  EXPECT_EQ(r.texts("words"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(r.table("model").integer("width"), 64);
  ASSERT_EQ(r.tables("phase").size(), 2u);
  EXPECT_EQ(r.tables("phase")[0].integer("steps"), 1);
  EXPECT_EQ(r.tables("phase")[1].integer("steps"), 2);
  EXPECT_EQ(r.integer_or("absent", 3), 3);
  EXPECT_EQ(r.real_or("absent", 0.5), 0.5);
  EXPECT_EQ(r.text_or("absent", "x"), "x");
  EXPECT_TRUE(r.boolean_or("absent", true));
  EXPECT_EQ(r.choice_or("absent", "constant", schedules), "constant");
  EXPECT_EQ(r.table("absent").integer_or("width", 8), 8);
  EXPECT_TRUE(r.tables("none").empty());
  EXPECT_NO_THROW(r.refuse_unread());
}

TEST(Recipe, AWrongValueIsNamedWithItsPathRuleAndLine) {
  const Recipe r =
      recipe("epochs = 0\nrate = 'fast'\nbig = inf\n[train]\nsteps = 1.5\nlist = [1, 'a']\nkind = 'sqd'\n");
  expect_refusal([&] { r.integer("epochs", {.least = 1}); },
                 R"(reading "r.toml": "epochs" must be a positive integer, but line 1 says 0)");
  expect_refusal([&] { r.integer("epochs", {.least = 1}); }, "but line 1 says 0; correct the recipe");
  expect_refusal([&] { r.integer_or("epochs", 5, {.least = 2, .most = 9}); }, "must be an integer from 2 up to 9");
  expect_refusal([&] { r.real("rate", {.least = 0, .most = 1, .above_least = true}); },
                 R"("rate" must be a finite number above 0 up to 1, but line 2 says "fast")");
  expect_refusal([&] { r.real("big"); }, "must be a finite number, but line 3 says inf");
  expect_refusal([&] { r.real("epochs", {.least = 1e-9}); }, "from 1e-09, but line 1 says 0");
  expect_refusal([&] { r.table("train").integer("steps"); },
                 R"("train.steps" must be an integer, but line 5 says 1.5)");
  expect_refusal([&] { r.table("train").texts("list"); }, R"("train.list" must be a list of texts, but line 6 says 1)");
  expect_refusal([&] { r.table("train").integers("list"); }, R"(but line 6 says "a")");
  const std::vector<std::string> kinds{"sgd", "adamw"};
  expect_refusal([&] { r.table("train").choice("kind", kinds); },
                 R"(must be one of "sgd", "adamw", but line 7 says "sqd")");
  expect_refusal([&] { r.table("epochs"); }, R"("epochs" must be a table, but line 1 says 0)");
  expect_refusal([&] { r.tables("train"); }, "must be a list of tables, but line 4 says a table");
  expect_refusal([&] { r.integer("epoch"); }, R"(key "epoch" must be given, but it is missing; closest: "epochs")");
}

TEST(Recipe, AKeyThatNobodyReadIsRefusedByLineWithTheNearestOne) {
  const auto read = [](const std::string& text) {
    const Recipe r = recipe(text);
    r.integer_or("epochs", 1);
    r.table("model").integer_or("width", 1);
    for (const Recipe& phase : r.tables("phase")) phase.integer_or("steps", 1);
    r.refuse_unread();
  };
  EXPECT_NO_THROW(read("epochs = 1\n[model]\nwidth = 2\n[[phase]]\nsteps = 3\n"));
  expect_refusal([&] { read("epohcs = 1\n"); }, R"("epohcs" on line 1 is not; closest: "epochs")");
  expect_refusal([&] { read("epochs = 1\n\n[model]\nwidht = 2\n"); },
                 R"("model.widht" on line 4 is not; closest: "width")");
  expect_refusal([&] { read("[[phase]]\nsteps = 1\n[[phase]]\nstpes = 1\n"); }, R"("phase[1].stpes" on line 4 is not)");
  expect_refusal([&] { read("[other]\nx = 1\n"); }, R"("other" on line 1 is not)");
  const ScopedTwin twin("io.recipe_unknown_key_ignored");
  EXPECT_NO_THROW(read("epohcs = 1\n"));
}

TEST(Recipe, ABrokenTextIsRefusedByLineAndColumn) {
  expect_refusal([] { recipe("a = 1\nb = = 2\n"); }, "must be TOML, but at line 2, column 5");
  expect_refusal([] { recipe("a = 1\na = 2\n"); }, "must be TOML, but at line 2");
  expect_refusal([] { recipe("a = 2020-01-01\n"); }, "line 1 holds a date or a time");
  expect_refusal([] { recipe("a = '\xFF'\n"); }, "must be TOML");
  const TemporaryFolder folder;
  expect_refusal([&] { Recipe::read(folder / "absent.toml"); }, "must exist");
  EXPECT_EQ(Recipe::read(folder.write("r.toml", "a = 1")).integer("a"), 1);
}

}  // namespace
}  // namespace assay::io
