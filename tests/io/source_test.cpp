#include "assay/io/source.h"

#include <gtest/gtest.h>

#include "tests/support/errors.h"

namespace assay::io {
namespace {

std::string said(const Source& source, const std::string& sentence) {
  return error_of([&] { source.refuse(sentence); })->what();
}

TEST(Source, ARefusalEndsWithWhatToDoNext) {
  EXPECT_EQ(said({.name = "a.jsonl"}, "it must be text, but it is 5"),
            R"(reading "a.jsonl": it must be text, but it is 5; correct the file)");
  EXPECT_EQ(said({.name = "m", .kind = ErrorKind::Model}, "it must be 1, but it is 2"),
            R"(reading "m": it must be 1, but it is 2; fetch or convert the model again)");
  EXPECT_EQ(said({.name = "r.toml", .kind = ErrorKind::Usage}, "it must be 1, but it is 2"),
            R"(reading "r.toml": it must be 1, but it is 2; correct the recipe)");
  EXPECT_EQ(said({.name = "m", .kind = ErrorKind::Data, .first_line = 1, .advice = "write it again"}, "it is not"),
            R"(reading "m": it is not; write it again)");
}

TEST(Source, AdviceThatASentenceHasIsNotDoubled) {
  EXPECT_EQ(said({.name = "a"}, "it must be there, but it is not; closest: \"b\""),
            R"(reading "a": it must be there, but it is not; closest: "b")");
  EXPECT_EQ(said({.name = "a; b"}, R"("x" must be a number, but it is "1; \"2\"; 3")"),
            R"(reading "a; b": "x" must be a number, but it is "1; \"2\"; 3"; correct the file)")
      << "a semicolon in what was found says nothing";
}

TEST(Source, WhoMendsAFaultHimselfLeavesTheAdviceOut) {
  EXPECT_EQ(without_advice(R"(reading "a; b": it is damaged; fetch it again; now)"),
            R"(reading "a; b": it is damaged)");
  EXPECT_EQ(without_advice("it is damaged"), "it is damaged");
}

}  // namespace
}  // namespace assay::io
