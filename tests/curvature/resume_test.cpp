// Killed and started again: the same bits, and what was done is not done twice. Damaged caches are made again.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>

#include "assay/core/twin.h"
#include "assay/curvature/fit.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/toy.h"

namespace assay::curvature {
namespace {

// Interrupts after so many advances; remembers the notes.
class InterruptedProgress final : public Progress {
 public:
  explicit InterruptedProgress(int64_t after = -1) : left_(after) {}
  void begin(std::string_view stage, int64_t, std::string_view) override { stages.emplace_back(stage); }
  void advance(int64_t) override {
    ++advances;
    if (left_ > 0 && --left_ == 0) throw Error(ErrorKind::Interrupted, "stopped by the test");
  }
  void end() override {}
  void note(std::string_view line) override { notes.emplace_back(line); }

  std::vector<std::string> stages, notes;
  int64_t advances = 0;

 private:
  int64_t left_;
};

struct Job {
  nn::Model model = toy_llama(1, at::kFloat);
  data::Dataset dataset = toy_texts(20, 4, 12);
  Batches batches = batches_of(dataset, 1);
  FitRequest request() const {
    return {.model = model, .dataset = dataset, .batches = batches, .layers = all_layers(model), .seed = 3};
  }
  std::shared_ptr<const Curvature> fit(const std::string& folder, Progress& progress) const {
    Workspace workspace(folder, fit_key(request(), "model"), progress);
    return fit_ekfac(request(), workspace, progress).curvature;
  }
};

bool are_same_bits(const Job& job, const Curvature& a, const Curvature& b) {
  const auto layers = all_layers(job.model);
  return std::ranges::all_of(layers, [&](nn::LayerId layer) {
    return a.eigenvalues(layer).equal(b.eigenvalues(layer)) && a.diagonal(layer).equal(b.diagonal(layer));
  });
}

TEST(AnInterruptedFit, GoesOnWithTheSameBits) {
  const Job job;
  const TemporaryFolder whole_folder, folder;
  InterruptedProgress undisturbed;
  const auto whole = job.fit(whole_folder.path(), undisturbed);
  const int64_t layers = std::ssize(all_layers(job.model));
  for (const int64_t stop :
       {int64_t{14}, int64_t{20},
        20 + layers + int64_t{14}}) {  // at 70 % of the covariances, at their end, of the eigenvalues
    InterruptedProgress second;
    const auto ends_with_the_same_bits = [&] {
      InterruptedProgress first(stop);
      EXPECT_THAT(error_of([&] { job.fit(folder.path(), first); }), Refusal(ErrorKind::Interrupted, "stopped"));
      second = InterruptedProgress();
      const bool same = are_same_bits(job, *whole, *job.fit(folder.path(), second));
      std::filesystem::remove_all(folder.path());
      return same;
    };
    EXPECT_TRUE(ends_with_the_same_bits()) << stop;
    EXPECT_FALSE(second.notes.empty());
    EXPECT_LE(second.advances, undisturbed.advances - stop + 2);
    const ScopedTwin twin("curvature.resume_repeats_a_batch");
    EXPECT_FALSE(ends_with_the_same_bits()) << stop;
  }
}

TEST(AFinishedFit, IsReused) {
  const Job job;
  const TemporaryFolder folder;
  InterruptedProgress first, second;
  const auto once = job.fit(folder.path(), first);
  EXPECT_TRUE(are_same_bits(job, *once, *job.fit(folder.path(), second)));
  EXPECT_TRUE(second.stages.empty());
}

TEST(ADamagedCache, IsMadeAgainAndSaid) {
  const Job job;
  const TemporaryFolder folder, elsewhere;  // a fit maps its blocks, so that damage would reach the one to compare with
  InterruptedProgress first, second, undisturbed;
  job.fit(folder.path(), first);
  const auto once = job.fit(elsewhere.path(), undisturbed);
  int64_t damaged = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    if (!entry.path().filename().string().starts_with("output.blocks.1.mlp.down")) continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-3, std::ios::end);
    file.put('\x55');
    ++damaged;
  }
  ASSERT_EQ(damaged, 1);
  EXPECT_TRUE(are_same_bits(job, *once, *job.fit(folder.path(), second)));
  EXPECT_FALSE(second.notes.empty());
  EXPECT_FALSE(second.stages.empty());
}

TEST(TheKeyOfAFit, KnowsWhatItDependsOn) {
  Job job;
  const std::string key = fit_key(job.request(), "model");
  EXPECT_EQ(fit_key(job.request(), "model"), key);
  EXPECT_NE(fit_key(job.request(), "another"), key);
  const auto key_with = [&](const std::function<void(FitRequest&)>& change) {
    FitRequest request = job.request();
    change(request);
    return fit_key(request, "model");
  };
  EXPECT_NE(key_with([](FitRequest& request) { request.seed = 4; }), key);
  EXPECT_NE(key_with([](FitRequest& request) { request.labels = Labels::Empirical; }), key);
  EXPECT_NE(key_with([](FitRequest& request) { request.layers.pop_back(); }), key);
  EXPECT_EQ(key_with([](FitRequest& request) { request.memory_bytes = 1; }), key);  // decides how, not what
}

}  // namespace
}  // namespace assay::curvature
