// `--filter` and `--rank` on a tiny model: what is said of the documents left out and of what the rank lost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "assay/io/safetensors.h"
#include "tests/acceptance/attribution.h"
#include "tests/acceptance/documented_keys.h"

namespace assay {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class Filter : public testing::Test {
 protected:
  json run_json(std::vector<std::string> words) const {
    words.insert(words.end(), {"--json", "--quiet"});
    const Outcome outcome = run_assay(words);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return json::parse(outcome.out, nullptr, false);
  }
  void refused(const std::vector<std::string>& more, const std::string& said) const {
    const Outcome outcome = run_assay(tiny_.words(more));
    EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
    EXPECT_TRUE(is_one_sentence(outcome.err, "usage")) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(said));
  }

  TinyAttribution tiny_{40};
};

TEST_F(Filter, ScoresWhatItKeepsAsTheWholeCorpusWould) {
  const json whole = run_json(tiny_.into("whole"));
  const json some = run_json(tiny_.into("some", {"--filter", "bm25(7)"}));
  expect_documented_keys(some, "attribute");
  EXPECT_EQ(some["data"]["documents"], 40);
  EXPECT_EQ(some["train_size"], 40) << "units are of the whole corpus";
  EXPECT_EQ(some["filter"]["name"], "bm25(count=7,k1=1.2,b=0.75)");
  EXPECT_EQ(some["filter"]["scored"], 7);
  EXPECT_DOUBLE_EQ(some["filter"]["share"].get<double>(), 7.0 / 40);
  EXPECT_EQ(some["queries"][0]["filtered"], 7);
  EXPECT_THAT(some["warnings"].dump(), HasSubstr("The filter kept 7 of 40 documents (18\u00A0%)"));

  const io::Arrays all = io::read_safetensors(tiny_.out("whole") + "/scores.safetensors", ErrorKind::Data).tensors;
  const io::Arrays kept = io::read_safetensors(tiny_.out("some") + "/scores.safetensors", ErrorKind::Data).tensors;
  const auto rows = io::values<int64_t>(kept.at("rows"));
  const auto scores = io::values<float>(kept.at("scores")), expected = io::values<float>(all.at("scores"));
  ASSERT_EQ(rows.size(), 7u);
  float largest = 0;
  for (const float score : expected) largest = std::max(largest, std::abs(score));
  for (size_t i = 0; i < rows.size(); ++i)  // the same curvature; float32 sums in batches of another size
    EXPECT_NEAR(scores[i], expected[static_cast<size_t>(rows[i])], 1e-4 * largest) << i;
  const std::string page = read_bytes(tiny_.out("some") + "/report.html");
  EXPECT_THAT(page, HasSubstr("7 of 40 documents, those nearest in words"));
  EXPECT_THAT(page, testing::Not(HasSubstr("all searched")));
  const json& best = some["queries"][0]["top"][0];
  EXPECT_EQ(best["document"], rows[best["row"].get<size_t>()]);
  ASSERT_NE(best["document"], best["row"]) << "the filter kept the first documents: this shows nothing";
}

TEST_F(Filter, SaysThatItKeptAllInPlainNumbers) {
  const json all = run_json(tiny_.words({"--filter", "bm25(500000)"}));
  EXPECT_THAT(all["warnings"].dump(), HasSubstr("The filter kept 40 of 40 documents (100\u00A0%)"));
}

// Everywhere a reader sees it, a document has its number in the corpus, whatever the filter left or split.
TEST_F(Filter, DocumentsKeepTheirNumbers) {
  const auto number_in = [](const std::string& table) {  // of the first row: rank, score, percentile, document, text
    std::istringstream row(table.substr(table.find("\n", table.find("percentile"))));
    std::string rank, score, percentile, document, part, number;
    row >> rank >> score >> percentile >> document >> part >> number;
    return part == "part" ? document + " part " + number : document;
  };
  for (const std::vector<std::string>& choice :
       {std::vector<std::string>{"--filter", "bm25(7)"}, {"--long", "split", "--context", "6"}}) {
    const json found = run_json(tiny_.into(choice[0], choice));
    const Outcome table = run_assay(tiny_.words(choice));
    const std::string page = read_bytes(tiny_.out(choice[0]) + "/report.html");
    const int64_t document = found["queries"][0]["top"][0]["document"];
    ASSERT_NE(document, found["queries"][0]["top"][0]["row"].get<int64_t>());
    EXPECT_TRUE(number_in(table.out).starts_with(std::to_string(document))) << table.out;
    const bool is_split = choice[0] == "--long";
    const std::string name =
        (is_split ? "Text " : "Document ") + std::to_string(document) + (is_split ? ", part " : " ");
    EXPECT_THAT(page, HasSubstr(name));
    EXPECT_EQ(page.find("40 documents split at 6 tokens") != std::string::npos, is_split);
  }
}

TEST_F(Filter, IsRefusedWhereItMeansNothing) {
  refused({"--filter", "bm52(10)"}, "closest: \"bm25\"");
  refused({"--filter", "bm25(0)"},
          "count must be a whole number, 1 or more, but it is \"0\"; correct it, or leave it out for 10000");
  refused({"--filter", "tfidf(10)"}, "it must begin with bm25, but it begins with \"tfidf\"; write bm25");
  refused({"--rank", "2", "--method", "identity"}, "reading --rank: the method must keep directions");
  refused({"--rank", "2", "--method", "ekfac(rank=3)"}, "leave --rank out");
}

TEST_F(Filter, ARankSaysWhatItLost) {
  const json full = run_json(tiny_.words());
  EXPECT_FALSE(full["queries"][0].contains("rank_error"));
  const json low = run_json(tiny_.words({"--rank", "1"}));
  expect_documented_keys(low, "attribute");
  EXPECT_EQ(low["method"], "ekfac(damping=0.1,labels=sampled,rank=1)");
  const double lost = low["queries"][0]["rank_error"].get<double>();
  EXPECT_GT(lost, 1e-3);
  EXPECT_LT(lost, 1);
  EXPECT_THAT(low["warnings"].dump(), HasSubstr("kept at a lower rank, which lost"));
  const json high = run_json(tiny_.words({"--rank", "64"}));  // no matrix of the model has a higher one
  EXPECT_LT(high["queries"][0]["rank_error"].get<double>(), 1e-5) << "float32 rounding alone";
  EXPECT_THAT(high["warnings"].dump(), HasSubstr("nothing but rounding was lost"));
}

}  // namespace
}  // namespace assay
