// Progress of long jobs. Library code reports to a Progress it is given and never prints; the program decides what a
// terminal, a pipe or a test sees.
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace assay {

/// One stage of a job: "covariance", 1,000 examples, 412,717 tokens.
class Progress {
 public:
  virtual ~Progress() = default;

  /// Opens a stage of `total` units named `unit` ("tokens", "steps"). A stage that is open is closed first.
  virtual void begin(std::string_view stage, int64_t total, std::string_view unit) = 0;
  /// `done` further units are finished. Throws Error(Interrupted) when the user asked to stop: call it where state is
  /// safe.
  virtual void advance(int64_t done) = 0;
  virtual void end() = 0;
  /// One line that is worth reading afterwards ("reused 7 of 12 blocks").
  virtual void note(std::string_view line) = 0;
};

/// Says nothing; still honours interruption.
Progress& silent_progress();

/// On a terminal one line that is rewritten, with rate and time left; else plain lines, one every few seconds and one
/// at the end of a stage. Honours NO_COLOR. Writes to standard error.
std::unique_ptr<Progress> make_progress(bool quiet);

/// Installs handlers for SIGINT and SIGTERM that make the next Progress::advance throw Error(Interrupted).
void catch_interrupts();
bool interrupt_requested() noexcept;

namespace detail {
/// Where progress is shown and by which clock (seconds): for tests.
struct ProgressView {
  std::FILE* stream = nullptr;
  bool is_terminal = false;
  bool has_color = false;
  std::function<double()> now;
};
std::unique_ptr<Progress> make_progress(ProgressView view);
}  // namespace detail

}  // namespace assay
