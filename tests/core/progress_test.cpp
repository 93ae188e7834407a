#include "assay/core/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "assay/core/error.h"

namespace assay {
namespace {

using testing::HasSubstr;
using testing::Not;

/// Progress shown in memory, by a clock that the test turns.
class Shown {
 public:
  explicit Shown(bool is_terminal) : stream_(open_memstream(&text_, &size_)) {
    progress_ = detail::make_progress(
        {.stream = stream_, .is_terminal = is_terminal, .has_color = false, .now = [this] { return seconds; }});
  }
  ~Shown() {
    progress_.reset();
    std::fclose(stream_);
    std::free(text_);
  }
  Progress& progress() { return *progress_; }
  std::string text() {
    std::fflush(stream_);
    return {text_, size_};
  }
  double seconds = 100;

 private:
  char* text_ = nullptr;
  size_t size_ = 0;
  std::FILE* stream_;
  std::unique_ptr<Progress> progress_;
};

TEST(Progress, SaysRateAndTimeLeft) {
  Shown shown(true);
  shown.progress().begin("covariance", 1'000'000, "tokens");
  shown.seconds += 10;
  shown.progress().advance(250'000);
  EXPECT_THAT(shown.text(), HasSubstr("covariance  25%  250,000 of 1,000,000 tokens  25,000/s  30 s left"));
}

TEST(Progress, WritesPlainLinesWhenNotATerminal) {
  Shown shown(false);
  shown.progress().begin("scores", 100, "examples");
  for (int i = 0; i < 100; ++i) {
    shown.seconds += 0.1;
    shown.progress().advance(1);
  }
  shown.progress().end();
  EXPECT_THAT(shown.text(), Not(HasSubstr("\r")));
  EXPECT_THAT(shown.text(), Not(HasSubstr("\x1b")));
  EXPECT_THAT(shown.text(), HasSubstr("scores: 100 examples in 10 s (10/s)\n"));
  const std::string text = shown.text();
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 3);  // one line in five seconds, one at the end
}

TEST(Progress, ALineWorthKeepingSurvivesTheRewrittenOne) {
  Shown shown(true);
  shown.progress().begin("scores", 2, "blocks");
  shown.progress().note("reused 7 of 12 blocks");
  EXPECT_THAT(shown.text(), HasSubstr("\r\x1b[2Kreused 7 of 12 blocks\n"));
}

TEST(Progress, ALineIsCutWhereTheTerminalEnds) {
  Shown shown(true);
  shown.progress().begin(std::string(77, '-') + "\u00e9\u00e9\u00e9", 10, "units");
  EXPECT_EQ(shown.text(), "\r\x1b[2K" + std::string(77, '-') + "\u00e9");  // 80 columns, the last one free
}

TEST(Progress, AStageOfUnknownLengthHasARateOnly) {
  Shown shown(true);
  shown.progress().begin("reading", 0, "documents");
  shown.seconds += 2;
  shown.progress().advance(4000);
  EXPECT_THAT(shown.text(), HasSubstr("reading  4,000 documents  2,000/s"));
}

TEST(Progress, AnInterruptIsThrownAtTheNextSafePlaceWithItsExitCode) {
  EXPECT_EXIT(
      {
        catch_interrupts();
        std::raise(SIGINT);
        try {
          silent_progress().begin("covariance", 10, "tokens");
          silent_progress().advance(1);
        } catch (const Error& error) {
          std::fputs(error.what(), stderr);
          std::exit(error.exit_code());
        }
      },
      testing::ExitedWithCode(130), "running \"covariance\": it was stopped; what was finished is kept");
}

TEST(Progress, ASecondInterruptEndsTheProgramAtOnce) {
  EXPECT_EXIT(
      {
        catch_interrupts();
        std::raise(SIGINT);
        std::raise(SIGINT);
      },
      testing::KilledBySignal(SIGINT), "");
}

}  // namespace
}  // namespace assay
