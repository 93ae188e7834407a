#include "assay/core/factory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assay/core/error.h"

namespace assay {
namespace {

using testing::HasSubstr;

const std::vector<FactorySpec>& table() {
  static const std::vector<FactorySpec> specs{
      {"ekfac",
       "curvature",
       {{.name = "damping",
         .type = ArgumentType::Number,
         .default_value = "0.1",
         .doc = "d",
         .choices = {"auto"},
         .minimum = 0},
        {.name = "labels",
         .type = ArgumentType::Choice,
         .default_value = "sampled",
         .doc = "l",
         .choices = {"sampled", "exact"}}}},
      {"project",
       "projection",
       {{.name = "rank",
         .type = ArgumentType::Integer,
         .default_value = "64",
         .doc = "r",
         .minimum = 1,
         .maximum = 4096}}},
      {"named", "text", {{.name = "note", .type = ArgumentType::Text, .default_value = "", .doc = "n"}}},
      {"random", "floor", {}},
  };
  return specs;
}

FactoryCall parse(std::string_view text) {
  return parse_factory(text, table(), "method");
}

std::string refusal(std::string_view text) {
  try {
    parse(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Usage);
    return error.what();
  }
  return "accepted";
}

TEST(Factory, MissingArgumentsTakeTheirDefaults) {
  const FactoryCall call = parse("ekfac");
  EXPECT_EQ(call.name(), "ekfac");
  EXPECT_EQ(call.number("damping"), 0.1);
  EXPECT_EQ(call.text("labels"), "sampled");
  EXPECT_EQ(parse("ekfac()").canonical(), call.canonical());
}

TEST(Factory, TheSameMeaningHasTheSameCanonicalForm) {
  EXPECT_EQ(parse("ekfac( labels = exact , damping = 1e-3 )").canonical(), "ekfac(damping=0.001,labels=exact)");
  EXPECT_EQ(parse("ekfac(damping=0.0010,labels=exact)").canonical(), "ekfac(damping=0.001,labels=exact)");
  EXPECT_EQ(parse("random").canonical(), "random");
  EXPECT_TRUE(parse("ekfac(damping=auto)").is_word("damping", "auto"));
}

TEST(Factory, CanonicalFormsParseToThemselves) {
  for (const char* text :
       {"ekfac(damping=auto)", "project(rank=7)", R"~(named(note="a, \"b\" (c)"))~", R"~(named(note=""))~", "random"}) {
    const std::string once = parse(text).canonical();
    EXPECT_EQ(parse(once).canonical(), once);
  }
  EXPECT_EQ(parse(R"~(named(note="a, \"b\" (c)"))~").text("note"), "a, \"b\" (c)");
}

TEST(Factory, RefusalsNameThePlaceTheRuleAndTheNearestName) {
  EXPECT_THAT(refusal("ekfca"), HasSubstr("closest: \"ekfac\""));
  EXPECT_THAT(refusal("ekfac(dampign=1)"), HasSubstr("closest: \"damping\""));
  EXPECT_THAT(refusal("ekfac(damping=0,1)"), HasSubstr("ekfac takes damping, labels, but found \"1\"; leave that out"));
  EXPECT_THAT(refusal("ekfac(damping=-1)"), HasSubstr("a number, 0 or more, or \"auto\", but it is \"-1\"; correct it, "
                                                      "or leave it out for 0.1"));
  EXPECT_THAT(refusal("ekfac(damping=nan)"), HasSubstr("must be a number"));
  EXPECT_THAT(refusal("ekfac(damping=)"), HasSubstr("but it is \"\""));
  EXPECT_THAT(refusal("ekfac(labels=exakt)"), HasSubstr("closest: \"exact\""));
  EXPECT_THAT(refusal("ekfac(damping=1"), HasSubstr("is the end where ',' belongs; write it so"));
  EXPECT_THAT(refusal("ekfac damping"), HasSubstr("where '(' belongs"));
  EXPECT_THAT(refusal("ekfac(damping=1)x"), HasSubstr("nothing may follow the ')', but \"x\" does; leave it out"));
  EXPECT_THAT(refusal("ekfac(damping=1,damping=2)"), HasSubstr("stands twice; leave one of them out"));
  EXPECT_THAT(refusal("project(rank=1.5)"), HasSubstr("a whole number from 1 to 4096"));
  EXPECT_THAT(refusal("project(rank=5000)"),
              HasSubstr("from 1 to 4096, but it is \"5000\"; correct it, or leave it out for 64"));
  EXPECT_THAT(refusal("random(seed=1)"), HasSubstr("random takes no arguments, but found \"seed\"; leave that out"));
  EXPECT_THAT(refusal(""), HasSubstr("it must begin with one of"));
  EXPECT_THAT(refusal("tfidf(10)"), HasSubstr("but it begins with \"tfidf\"; choose one of these"));
  EXPECT_THAT(refusal("named(note=\"open"), HasSubstr("is the end"));
}

TEST(Factory, AskingForAnArgumentOutsideTheTableIsOurOwnMistake) {
  EXPECT_THROW(parse("random").number("seed"), Error);
  EXPECT_THROW(parse("ekfac(damping=auto)").number("damping"), Error);
}

}  // namespace
}  // namespace assay
