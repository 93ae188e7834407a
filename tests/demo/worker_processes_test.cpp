// The workers of these tests are this test program itself, which lists its tests or fails one as asked.
#include "cli/worker_processes.h"

#include <gmock/gmock.h>

#include <chrono>
#include <thread>

#include "assay/core/machine.h"
#include "assay/core/twin.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"

namespace assay::cli {
namespace {

constexpr int64_t kWaitingBytes = 64'000'000;

class CountingProgress final : public Progress {
 public:
  void begin(std::string_view, int64_t, std::string_view) override {}
  void advance(int64_t done) override { done_ += done; }
  void end() override {}
  void note(std::string_view) override {}
  int64_t done() const { return done_; }

 private:
  int64_t done_ = 0;
};

TEST(WorkerProcesses, RunsEveryWorkerAndKeepsWhatItPrints) {
  const TemporaryFolder folder;
  std::vector<Worker> workers;
  for (int i = 0; i < 5; ++i)
    workers.push_back({"listing", {"--gtest_list_tests"}, folder / ("log" + std::to_string(i))});
  CountingProgress progress;
  run_workers(workers, 2, progress);
  EXPECT_EQ(progress.done(), 5);
  for (const Worker& worker : workers) EXPECT_THAT(read_bytes(worker.log), testing::HasSubstr("WorkerProcesses."));
}

TEST(WorkerProcesses, AFailureStopsTheRestAndSaysWhoFailedAndWhere) {
  const TemporaryFolder folder;
  const std::string log = folder / "log";
  const std::vector<Worker> workers{
      {"training badly", {"--gtest_also_run_disabled_tests", "--gtest_filter=*FailsWhenAsked"}, log},
      {"never started", {"--gtest_list_tests"}, folder / "other"}};
  const auto error = error_of([&] { run_workers(workers, 1, silent_progress()); });
  EXPECT_THAT(error, Refusal(ErrorKind::Internal, "training badly: its process must end well"));
  EXPECT_THAT(error, Refusal(ErrorKind::Internal, log));
  EXPECT_EQ(read_bytes(workers[1].log), "");
}

TEST(WorkerProcesses, WhatTheyHoldTogetherIsThePeak) {
  const TemporaryFolder folder;
  const std::vector<Worker> workers(
      2, {"waiting", {"--gtest_also_run_disabled_tests", "--gtest_filter=*WaitsWhenAsked"}, folder / "log"});
  const auto peak = [&] {
    reset_peak_resident();
    const int64_t alone = peak_resident_bytes();
    run_workers(workers, 2, silent_progress());
    return peak_resident_bytes() - alone;
  };
  EXPECT_GT(peak(), 2 * kWaitingBytes);  // it writes this much, twice; libraries come on top
  const ScopedTwin twin("cli.peak_without_workers");
  EXPECT_FALSE(peak() > 2 * kWaitingBytes);
}

TEST(WorkerProcesses, WithoutWorkersThereIsNothingToDo) {
  run_workers({}, 2, silent_progress());
}

TEST(WorkerProcesses, DISABLED_FailsWhenAsked) {
  FAIL() << "as asked";
}

TEST(WorkerProcesses, DISABLED_WaitsWhenAsked) {
  const std::string held(static_cast<size_t>(kWaitingBytes), 'x');
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  EXPECT_EQ(held.back(), 'x');
}

}  // namespace
}  // namespace assay::cli
