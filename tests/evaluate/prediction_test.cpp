#include "assay/evaluate/prediction.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "assay/core/twin.h"
#include "assay/data/arrays.h"
#include "assay/data/batch.h"
#include "assay/data/corpus.h"
#include "assay/data/encode.h"
#include "assay/data/tokenizer.h"
#include "assay/nn/checkpoint.h"
#include "tests/support/data.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/toy.h"

namespace assay::evaluate {
namespace {

nn::Model small_classifier() {
  const nlohmann::json config{
      {"model_type", "mlp"}, {"features", 2}, {"hidden", {5}}, {"outputs", 3}, {"task", "classification"}};
  return nn::initialize(nn::make_architecture(config), 4);
}

data::Dataset small_arrays(const std::string& path) {
  return data::read_arrays(path, {.features = 2, .classes = 3});
}

const char* const kLines = R"({"features": [0.5, -1], "label": 2}
{"features": [1, 2], "label": 0}

{"features": [-3, 0.25], "label": 1}
)";

TEST(Prediction, OfArraysIsTheCrossEntropyAndTheShareOfLikeliestLabels) {
  const TemporaryFolder folder;
  const data::Dataset dataset = small_arrays(folder.write("arrays.jsonl", kLines));
  const nn::Model model = small_classifier();
  const Prediction prediction = predict(model, dataset, silent_progress());
  ASSERT_EQ(prediction.losses.size(), 3u);
  EXPECT_EQ(prediction.targets, (std::vector<int64_t>{1, 1, 1}));
  int64_t correct = 0;
  for (int64_t row = 0; row < 3; ++row) {  // oracle: softmax by hand, one example at a time
    const std::vector<int64_t> rows{row};
    const at::Tensor logits = model.run(data::make_batch(dataset, rows)).output.logits().to(at::kDouble).reshape({-1});
    double total = 0, highest = -1e30;
    int64_t likeliest = -1;
    for (int64_t c = 0; c < 3; ++c) {
      const double logit = logits.data_ptr<double>()[c];
      total += std::exp(logit);
      if (logit > highest) {
        highest = logit;
        likeliest = c;
      }
    }
    const int32_t label = dataset.examples[static_cast<size_t>(row)].label;
    correct += likeliest == label ? 1 : 0;
    const double expected = std::log(total) - logits.data_ptr<double>()[label];
    EXPECT_NEAR(prediction.losses[static_cast<size_t>(row)], expected, 1e-6);  // float32 logits of size 1: a few 1e-7
  }
  EXPECT_EQ(prediction.correct, correct);
}

/// Ends a walk at its batch `stop` with an error of that kind; counts what was advanced.
class EndedProgress final : public Progress {
 public:
  explicit EndedProgress(int64_t stop = -1, ErrorKind kind = ErrorKind::Interrupted) : stop_(stop), kind_(kind) {}
  void begin(std::string_view, int64_t, std::string_view) override {}
  void advance(int64_t) override {
    if (++advances == stop_) throw Error(kind_, "stopped by the test");
  }
  void end() override {}
  void note(std::string_view line) override { notes.emplace_back(line); }

  int64_t advances = 0;
  std::vector<std::string> notes;

 private:
  int64_t stop_;
  ErrorKind kind_;
};

TEST(Prediction, StoppedAndStartedAgainHasTheSameBitsAndRepeatsNoBatch) {
  constexpr int64_t kBatches = 10;
  const nn::Model model = toy_mlp({});
  const data::Dataset dataset = toy_arrays(kBatches * 4096, {});
  EndedProgress undisturbed;
  const Prediction straight = predict(model, dataset, undisturbed);
  ASSERT_EQ(undisturbed.advances, kBatches);
  ASSERT_GT(straight.correct, 0);

  const auto resumed_after = [&](const std::string& folder, ErrorKind kind, int64_t stop, EndedProgress& second) {
    EndedProgress first(stop, kind);
    curvature::Workspace before(folder, "key", first);
    EXPECT_THAT(error_of([&] { predict(model, dataset, before, first); }), Refusal(kind, "stopped"));
    before = {};  // its lock
    curvature::Workspace after(folder, "key", second);
    return predict(model, dataset, after, second);
  };
  const TemporaryFolder interrupted, killed, broken;
  EndedProgress second;
  const Prediction resumed = resumed_after(interrupted.path(), ErrorKind::Interrupted, 5, second);
  EXPECT_EQ(resumed.losses, straight.losses);
  EXPECT_EQ(resumed.targets, straight.targets);
  EXPECT_EQ(resumed.correct, straight.correct);
  EXPECT_EQ(second.advances, 1 + kBatches - 5) << "one for what is found, one for each batch that is left";
  EXPECT_EQ(second.notes.size(), 1u);

  EndedProgress third;  // as if killed: nothing is saved at the end, only on the way, at the second batch first of all
  const Prediction revived = resumed_after(killed.path(), ErrorKind::Internal, 5, third);
  EXPECT_EQ(revived.losses, straight.losses);
  EXPECT_EQ(revived.correct, straight.correct);
  EXPECT_LE(third.advances, 1 + kBatches - 2);

  const ScopedTwin twin("evaluate.forgets_the_correct");
  EndedProgress fourth;
  EXPECT_NE(resumed_after(broken.path(), ErrorKind::Interrupted, 5, fourth).correct, straight.correct);
}

TEST(Prediction, ALossThatIsNotFiniteIsAnErrorThatNamesTheFirst) {
  Prediction prediction{.losses = {1, std::nan(""), 2, INFINITY}, .targets = {1, 1, 1, 1}};
  const auto said = [&] { return error_of([&] { require_finite(prediction); }); };
  EXPECT_THAT(said(), Refusal(ErrorKind::Numeric, "but 2 of 4 are not, the first that of example 1 (counted from 0)"));
  {
    const ScopedTwin twin("evaluate.losses_not_finite");
    EXPECT_FALSE(said());
  }
  prediction.losses = {1, 2, 0, 3};
  EXPECT_FALSE(said());
}

TEST(Arrays, EveryBrokenLineIsRefusedByItsNumber) {
  const TemporaryFolder folder;
  const auto refusal = [&folder](const std::string& text) {
    return error_of([&] { small_arrays(folder.write("arrays.jsonl", text)); });
  };
  EXPECT_THAT(refusal(R"({"features": [1], "label": 0})"), Refusal(ErrorKind::Data, "a list of 2 finite numbers"));
  EXPECT_THAT(refusal(R"({"features": [1, "2"], "label": 0})"), Refusal(ErrorKind::Data, "line 1"));
  EXPECT_THAT(refusal(R"({"features": [1, 1e300], "label": 0})"), Refusal(ErrorKind::Data, "finite"));
  EXPECT_THAT(refusal(std::string(kLines) + R"({"features": [1, 2], "label": 3})"), Refusal(ErrorKind::Data, "line 5"));
  EXPECT_THAT(refusal("\n\n"), Refusal(ErrorKind::Data, "must hold an example"));
}

// Recorded: the data README's float64 forward pass over the first 40 stories, BOS prepended, cut at 512 tokens. Its
// five decimals bound the difference; float32 sums over 10,000 targets add less than 1e-5.
TEST(Prediction, OfStories260KIsTheRecordedLossWeighedByTokens) {
  const std::string folder = data_path("models/stories260K"), corpus_path = data_path("text/tinystories_1000.txt");
  if (folder.empty() || corpus_path.empty()) GTEST_SKIP() << no_data("models/stories260K");
  const nn::Checkpoint checkpoint = nn::load_checkpoint(folder);
  const data::Corpus corpus = data::read_corpus(corpus_path, {.limit = 40});
  const data::Dataset dataset = data::encode(corpus, data::load_tokenizer(folder), {.context = 512}).dataset;
  const Prediction prediction = predict(checkpoint.model, dataset, silent_progress());
  EXPECT_NEAR(prediction.loss_per_target(), 1.30689, 1e-4);
  const ScopedTwin twin("evaluate.mean_over_documents");
  EXPECT_GT(std::abs(prediction.loss_per_target() - 1.30689), 1e-4);
}

}  // namespace
}  // namespace assay::evaluate
