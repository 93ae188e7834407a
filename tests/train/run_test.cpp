#include "assay/train/run.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/nn/checkpoint.h"
#include "assay/train/checkpoints.h"
#include "assay/train/log_file.h"
#include "tests/train/fixtures.h"

namespace assay::train {
namespace {

namespace fs = std::filesystem;

/// An empty folder of the running test's own.
class Run : public testing::Test {
 protected:
  Run() {
    folder_ = (fs::temp_directory_path() / ("assay_train_" + std::to_string(getpid()))).string();
    fs::remove_all(folder_);
  }
  ~Run() override { fs::remove_all(folder_); }

  std::string folder_;
  data::Dataset dataset_ = sentences(40);
  nn::Model start_ = small_llama();
  TrainOptions options_{.optimizer = {.weight_decay = 0.1},
                        .schedule = {.rate = 1e-2, .warmup_steps = 3},
                        .epochs = 4,
                        .batch_size = 16,
                        .clip_norm = 1,
                        .checkpoint_every = 2};

  RunOutcome run(Progress& progress = silent_progress()) {
    Trainer trainer(start_, dataset_, options_);
    return run_in_folder(trainer, folder_, progress);
  }
};

/// Stops a job after some steps, as Ctrl-C does.
class Stop : public Progress {
 public:
  explicit Stop(int64_t after) : left_(after) {}
  void begin(std::string_view, int64_t, std::string_view) override {}
  void advance(int64_t done) override {
    left_ -= done;
    if (left_ <= 0) throw Error(ErrorKind::Interrupted, "training: stopped");
  }
  void end() override {}
  void note(std::string_view line) override { notes.emplace_back(line); }

  std::vector<std::string> notes;

 private:
  int64_t left_;
};

constexpr int64_t kNever = 1000;

TEST_F(Run, LeavesAModelThatLoadsWithItsRecordAndLog) {
  const RunOutcome outcome = run();
  EXPECT_EQ(outcome.log.size(), 12u);
  EXPECT_EQ(outcome.model.parameters().hash(), train(start_, dataset_, options_).model.parameters().hash());
  EXPECT_EQ(nn::load_checkpoint(folder_).model.parameters().hash(), outcome.model.parameters().hash());
  const auto record = read_record(folder_);
  ASSERT_TRUE(record);
  EXPECT_EQ(to_json(*record), to_json(outcome.record));
  EXPECT_EQ(record->corpus_hash, dataset_.content_hash());
  EXPECT_EQ(record->examples, 40);
  EXPECT_EQ(record->step, 12);
  EXPECT_EQ(record->rate, rate_at(options_.schedule, 11, 12));
  EXPECT_EQ(read_log(folder_ + "/log.jsonl").size(), 12u);
  EXPECT_LT(mean_loss(outcome.log, 3, 4), mean_loss(outcome.log, 0, 1));
}

TEST_F(Run, EveryCheckpointIsAModelWithStepRateAndSchedule) {
  run();
  const std::vector<SavedStep> saved = saved_steps(folder_);
  ASSERT_EQ(saved.size(), 5u);  // steps 2, 4, 6, 8, 10; the end is the folder itself
  const auto record = read_record(saved[1].folder);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->step, 4);
  EXPECT_EQ(record->total_steps, 12);
  EXPECT_EQ(record->rate, rate_at(options_.schedule, 3, 12));
  EXPECT_EQ(record->schedule.warmup_steps, 3);
  EXPECT_EQ(nn::load_checkpoint(saved[1].folder).model.parameters().hash(), record->parameters_hash);
}

TEST_F(Run, StoppedByTheUserItGoesOnToTheSameBits) {
  const std::string straight = train(start_, dataset_, options_).model.parameters().hash();
  Stop stop(5);
  EXPECT_THROW(run(stop), Error);
  const RunOutcome outcome = run();
  EXPECT_EQ(outcome.resumed_from, 5);
  EXPECT_EQ(outcome.log.size(), 12u);
  EXPECT_EQ(outcome.model.parameters().hash(), straight);
}

TEST_F(Run, KilledBetweenCheckpointsItRepeatsTheLostStepsToTheSameBits) {
  const std::string straight = train(start_, dataset_, options_).model.parameters().hash();
  Stop stop(7);
  EXPECT_THROW(run(stop), Error);
  // What kill -9 in the middle of step 7 leaves: no farewell checkpoint, a half-written one, a torn line of the log.
  fs::remove_all(folder_ + "/checkpoints/step-000007");
  fs::create_directories(folder_ + "/checkpoints/step-000008.unfinished");
  std::ofstream(folder_ + "/log.jsonl", std::ios::app) << "{\"step\": 7, \"lo";
  const RunOutcome outcome = run();
  EXPECT_EQ(outcome.resumed_from, 6);
  EXPECT_EQ(outcome.model.parameters().hash(), straight);
  ASSERT_EQ(outcome.log.size(), 12u);
  for (size_t i = 0; i < 12; ++i) EXPECT_EQ(outcome.log[i].step, static_cast<int64_t>(i));
}

TEST_F(Run, ADamagedCheckpointIsPassedOverWithANote) {
  const std::string straight = train(start_, dataset_, options_).model.parameters().hash();
  Stop stop(7);
  EXPECT_THROW(run(stop), Error);
  fs::remove_all(folder_ + "/checkpoints/step-000007");
  std::fstream weights(folder_ + "/checkpoints/step-000006/model.safetensors",
                       std::ios::in | std::ios::out | std::ios::ate);
  weights.seekp(-2, std::ios::end);
  weights.put('\x3f');
  weights.close();
  Stop resumed(kNever);
  const RunOutcome outcome = run(resumed);
  EXPECT_EQ(outcome.resumed_from, 4);
  EXPECT_EQ(outcome.model.parameters().hash(), straight);
  ASSERT_FALSE(resumed.notes.empty());
  EXPECT_NE(resumed.notes[0].find("step-000006"), std::string::npos);
}

TEST_F(Run, AFinishedRunIsNotRepeated) {
  const std::string first = run().model.parameters().hash();
  const RunOutcome again = run();
  EXPECT_TRUE(again.was_finished);
  EXPECT_EQ(again.model.parameters().hash(), first);
  EXPECT_EQ(again.log.size(), 12u);
}

TEST_F(Run, AnotherRunInTheFolderIsRefused) {
  Stop stop(5);
  EXPECT_THROW(run(stop), Error);
  const auto refusal = [&] {
    try {
      run();
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::Internal;
  };
  options_.seed = 1;
  EXPECT_EQ(refusal(), ErrorKind::Usage);  // among checkpoints
  options_.seed = 0;
  run();
  options_.schedule.rate = 2e-2;
  EXPECT_EQ(refusal(), ErrorKind::Usage);  // finished
}

TEST_F(Run, APenaltyBelongsToTheRunWithAllThatDecidesIt) {
  const auto identity = [&](const nn::Model& reference, double coefficient) {
    options_.penalties = {squared_distance(reference.parameters(), coefficient)};
    return run_identity(Trainer(start_, dataset_, options_));
  };
  const nn::Model other = nn::initialize(nn::make_architecture(start_.architecture().config()), 99);
  const std::string first = identity(start_, 0.1);
  EXPECT_EQ(identity(start_, 0.1), first);
  EXPECT_NE(identity(start_, 0.2), first);
  EXPECT_NE(identity(other, 0.1), first);
  const ScopedTwin twin("train.penalties_known_by_name");
  EXPECT_EQ(identity(start_, 0.2), identity(other, 0.1));
}

TEST_F(Run, LeftOutExamplesAreInTheRecord) {
  options_.leave_out = {dataset_.examples[3].id, dataset_.examples[30].id};
  const RunOutcome outcome = run();
  std::vector<int64_t> kept;
  for (int64_t row = 0; row < 40; ++row) {
    if (row != 3 && row != 30) kept.push_back(row);
  }
  EXPECT_EQ(outcome.record.examples, 38);
  EXPECT_EQ(outcome.record.left_out, 2);
  EXPECT_EQ(outcome.record.corpus_hash, data::subset(dataset_, kept).content_hash());
}

TEST_F(Run, ADamagedRecordIsRefusedAndAMissingOneIsNone) {
  EXPECT_FALSE(read_record(folder_));
  fs::create_directories(folder_);
  std::ofstream(folder_ + "/training.json") << "{\"step\": -1}";
  EXPECT_THROW(read_record(folder_), Error);
}

}  // namespace
}  // namespace assay::train
