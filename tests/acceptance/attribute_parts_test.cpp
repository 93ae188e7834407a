// What `assay attribute` writes beside its scores (by token, by layer, of a document on itself, by group, the trust
// check), and that neither where the documents come from nor the arithmetic's precision changes them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <span>

#include "assay/io/safetensors.h"
#include "tests/acceptance/program.h"
#include "tests/acceptance/tiny_model.h"

namespace assay {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::Ge;
using testing::HasSubstr;
using testing::Le;

using Sizes = std::vector<int64_t>;

constexpr size_t kStories = 40, kAsked = 2, kTracked = 14, kPredicted = 15;  // [N], [Q], [L], [T]

/// One model, one corpus whose lines name a group, one cache of factors for all tests of this file.
class PartsJob {
 public:
  PartsJob() {
    write_tiny_model(model_);
    const std::string separator = "<|endoftext|>";
    std::string all = tiny_corpus_of(static_cast<int>(kStories));
    for (size_t i = 0; i < kStories; ++i) {
      const json line{{"story", all.substr(0, all.find(separator))}, {"g", std::string(1, "xyz"[i % 3])}};
      all.erase(0, all.find(separator) + separator.size());
      lines_.push_back(line.dump() + "\n");
    }
    corpus_ = folder_.write("corpus.jsonl", lines(0, kStories));
    questions_ = folder_.write("questions.jsonl",
                               "{\"prompt\": \"the cat\", \"completion\": \" sat\"}\n"
                               "{\"prompt\": \"the dog\", \"completion\": \" ran on\"}\n");
    folder_.write("folder/1.jsonl", lines(0, 17));
    folder_.write("folder/2.jsonl", lines(17, kStories));
    plain_ = run("plain", corpus_);
  }

  const std::string& corpus() const { return corpus_; }
  std::string two_files() const { return folder_ / "folder"; }
  const Outcome& plain() const { return plain_; }

  std::string lines(size_t from, size_t to) const {
    return std::accumulate(lines_.begin() + static_cast<std::ptrdiff_t>(from),
                           lines_.begin() + static_cast<std::ptrdiff_t>(to), std::string());
  }
  Outcome run(const std::string& name, const std::string& data,
              const std::vector<std::string>& more = {"--trust", "no"}, const std::string& input = "") const {
    std::vector<std::string> words{"attribute",   model_,        "--data",    data, "--queries",    questions_,
                                   "--field",     "story",       "--top",     "3",  "--train-size", "50",
                                   "--per-layer", "--quiet",     "--threads", "1",  "--cache",      folder_ / "cache",
                                   "--out",       folder_ / name};
    words.insert(words.end(), more.begin(), more.end());
    const bool has_tokens = std::find(more.begin(), more.end(), "--group") == more.end();
    if (has_tokens) words.insert(words.end(), {"--per-token", "--self"});
    return run_assay(words, {.input = input});
  }
  const TemporaryFolder& folder() const { return folder_; }
  std::string bytes(const std::string& name) const { return read_bytes(folder_ / name + "/scores.safetensors"); }
  io::Arrays arrays(const std::string& name) const {
    return io::read_safetensors(folder_ / name + "/scores.safetensors", ErrorKind::Data).tensors;
  }
  json result(const std::string& name) const { return json::parse(read_bytes(folder_ / name + "/result.json")); }

 private:
  TemporaryFolder folder_;
  std::string model_ = folder_ / "model", corpus_, questions_;
  std::vector<std::string> lines_;
  Outcome plain_;
};

class AttributeParts : public testing::Test {
 protected:
  static const PartsJob& job() {
    static const PartsJob shared;
    return shared;
  }
  void SetUp() override { ASSERT_EQ(job().plain().exit_code, 0) << job().plain().err; }
};

double greatest(std::span<const float> numbers) {
  double most = 0;
  for (const float number : numbers) most = std::max(most, std::abs(static_cast<double>(number)));
  return most;
}

std::vector<std::string> names_in(const io::Arrays& arrays) {
  std::vector<std::string> names;
  for (const auto& [name, array] : arrays) names.push_back(name);
  return names;
}

// Every entry is a float32 dot product of at most 24 · 16 terms: off by 384 · 2^-24 = 2.3e-5 of its terms' sum, which
// the largest score exceeds unless the parts cancel fourfold. (Measured: 1.4e-7.)
constexpr double kOfTheLargest = 1e-4;

TEST_F(AttributeParts, PartsHaveTheirShapesAndAddUp) {
  const io::Arrays arrays = job().arrays("plain");
  EXPECT_THAT(names_in(arrays), ElementsAre("per_layer", "per_token", "scores", "self_influence"));
  ASSERT_EQ(arrays.at("scores").shape, (Sizes{kAsked, kStories}));
  ASSERT_EQ(arrays.at("per_layer").shape, (Sizes{kTracked, kAsked, kStories}));
  ASSERT_EQ(arrays.at("per_token").shape, (Sizes{kAsked, kStories, kPredicted}));
  ASSERT_EQ(arrays.at("self_influence").shape, (Sizes{kStories}));

  const std::span<const float> scores = io::values<float>(arrays.at("scores"));
  const std::span<const float> by_layer = io::values<float>(arrays.at("per_layer"));
  const std::span<const float> by_token = io::values<float>(arrays.at("per_token"));
  const double tolerance = kOfTheLargest * greatest(scores);
  ASSERT_GT(tolerance, 0);
  for (size_t place = 0; place < scores.size(); ++place) {
    double layers = 0, tokens = 0;
    for (size_t l = 0; l < kTracked; ++l) layers += static_cast<double>(by_layer[l * scores.size() + place]);
    for (size_t t = 0; t < kPredicted; ++t) tokens += static_cast<double>(by_token[place * kPredicted + t]);
    EXPECT_NEAR(layers, static_cast<double>(scores[place]), tolerance) << place;
    EXPECT_NEAR(tokens, static_cast<double>(scores[place]), tolerance) << place;
  }
  for (const float self : io::values<float>(arrays.at("self_influence"))) EXPECT_GE(self, 0.0F);
}

TEST_F(AttributeParts, TheTrainSizeAndTheLayersTurnScoresIntoNats) {
  const json result = job().result("plain");
  EXPECT_EQ(result["layers"].size(), kTracked);
  EXPECT_EQ(result["train_size"], 50);
  EXPECT_DOUBLE_EQ(result["nats_per_raw"].get<double>(), 1.0 / (50.0 * static_cast<double>(kTracked)));
  EXPECT_EQ(result["queries"].size(), kAsked);
  EXPECT_FALSE(result.contains("groups"));
  EXPECT_FALSE(result["queries"][0].contains("trust"));
}

TEST_F(AttributeParts, GroupsAreSumsAndTheTrustCheckStandsBesideThem) {
  const Outcome outcome =
      job().run("grouped", job().corpus(), {"--trust", "yes", "--group", "both", "--group-field", "g"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const json result = job().result("grouped");
  EXPECT_EQ(result["groups"], json({"x", "y", "z"}));

  const io::Arrays sums = job().arrays("grouped"), apart = job().arrays("plain");
  EXPECT_THAT(names_in(sums), ElementsAre("per_layer", "scores"));
  ASSERT_EQ(sums.at("scores").shape, (Sizes{1, 3}));
  ASSERT_EQ(sums.at("per_layer").shape, (Sizes{kTracked, 1, 3}));
  const std::span<const float> scores = io::values<float>(apart.at("scores"));
  std::vector<double> expected(3);
  double scale = 0;  // sum of magnitudes: what rounding is measured by
  for (size_t place = 0; place < scores.size(); ++place) {
    expected[place % kStories % 3] += static_cast<double>(scores[place]);
    scale += std::abs(static_cast<double>(scores[place]));
  }
  const std::span<const float> by_layer = io::values<float>(sums.at("per_layer"));
  for (size_t g = 0; g < 3; ++g) {
    double layers = 0;
    for (size_t l = 0; l < kTracked; ++l) layers += static_cast<double>(by_layer[l * 3 + g]);
    const double sum = static_cast<double>(io::values<float>(sums.at("scores"))[g]);
    EXPECT_NEAR(sum, expected[g], kOfTheLargest * scale);
    EXPECT_NEAR(layers, sum, kOfTheLargest * scale);
  }
  ASSERT_EQ(result["sums"].size(), 1u);
  EXPECT_EQ(result["sums"][0]["question"], "all");
  const json ranking = result["sums"][0]["ranking"];
  ASSERT_EQ(ranking.size(), 3u);
  for (size_t place = 0; place < 3; ++place) {
    const auto g = static_cast<size_t>(ranking[place]["group"].get<std::string>()[0] - 'x');
    EXPECT_EQ(ranking[place]["score"].get<float>(), io::values<float>(sums.at("scores"))[g]);
    EXPECT_EQ(ranking[place]["documents"], g == 0 ? 14 : 13) << "40 stories in turns";
    if (place > 0) {
      EXPECT_LE(ranking[place]["score"].get<double>(), ranking[place - 1]["score"].get<double>());
    }
  }
  EXPECT_THAT(outcome.out, HasSubstr("Groups, summed over all questions"));
  EXPECT_THAT(read_bytes(job().folder() / "grouped/report.html"), HasSubstr("Groups, summed over all questions"));

  for (const json& query : result["queries"]) {
    std::set<int> strongest;
    for (const json& document : query["trust"]["top"]) strongest.insert(document["row"].get<int>());
    ASSERT_THAT(query["top"].size(), AllOf(Ge(1u), Le(3u))) << "only what supports is shown";
    const json& trust = query["trust"];
    EXPECT_EQ(trust["check"], "tail-patch");
    ASSERT_EQ(trust["top"].size(), 10u) << "ten, however many are shown";
    for (size_t i = 0; i < query["top"].size(); ++i) EXPECT_EQ(trust["top"][i]["row"], query["top"][i]["row"]);
    EXPECT_EQ(trust["random"].size(), 30u) << "every other document";
    for (const json& document : trust["random"]) EXPECT_FALSE(strongest.contains(document["row"].get<int>()));
    const double difference = trust["difference"];
    EXPECT_DOUBLE_EQ(trust["top_mean"].get<double>() - trust["random_mean"].get<double>(), difference);
    EXPECT_LE(trust["interval"][0].get<double>(), difference);
    EXPECT_GE(trust["interval"][1].get<double>(), difference);
  }
}

TEST_F(AttributeParts, StandardInputAndAFolderScoreAsTheFileDoes) {
  const Outcome piped = job().run("piped", "-", {"--trust", "no"}, job().lines(0, kStories));
  ASSERT_EQ(piped.exit_code, 0) << piped.err;
  const Outcome folder = job().run("in_two_files", job().two_files());
  ASSERT_EQ(folder.exit_code, 0) << folder.err;
  EXPECT_TRUE(job().bytes("piped") == job().bytes("plain"));
  EXPECT_TRUE(job().bytes("in_two_files") == job().bytes("plain"));
}

TEST_F(AttributeParts, DoublePrecisionAgrees) {
  const Outcome outcome = job().run("double", job().corpus(), {"--trust", "no", "--dtype", "fp64"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(job().result("double")["dtype"], "fp64");
  const io::Arrays wide = job().arrays("double"), narrow = job().arrays("plain");
  const std::span<const float> a = io::values<float>(wide.at("scores")), b = io::values<float>(narrow.at("scores"));
  ASSERT_EQ(a.size(), b.size());
  // Rounding alone is 2.3e-5 (above); it also turns the eigenvectors of eigenvalues that nearly coincide, and with them
  // the corrected eigenvalues. Measured on five models of these sizes: 7e-7 to 1.4e-4.
  const double tolerance = 1e-3 * greatest(b);
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(static_cast<double>(a[i]), static_cast<double>(b[i]), tolerance);
}

TEST_F(AttributeParts, Bf16SaysSoAndRanksAlike) {
  const Outcome outcome = job().run("half", job().corpus(), {"--dtype", "bf16"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(job().result("half")["dtype"], "bf16");
  const io::Arrays half = job().arrays("half"), whole = job().arrays("plain");
  const std::span<const float> a = io::values<float>(half.at("scores")), b = io::values<float>(whole.at("scores"));
  ASSERT_EQ(a.size(), b.size());
  // Of a score some ten products take part, each off by 2^-9 of its size and more where terms cancel.
  double difference = 0, size = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += static_cast<double>((a[i] - b[i]) * (a[i] - b[i]));
    size += static_cast<double>(b[i] * b[i]);
  }
  EXPECT_LT(difference, 0.1 * 0.1 * size);
}

}  // namespace
}  // namespace assay
