#include "assay/core/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <utility>

#include "assay/core/error.h"
#include "assay/core/plan.h"

namespace assay {
namespace {

std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may write it");

void on_interrupt(int signal_number) {
  interrupted.store(true);
  std::signal(signal_number, SIG_DFL);  // a second Ctrl-C does not wait for a safe place
}

void stop_if_interrupted(std::string_view stage) {
  if (!interrupt_requested()) return;
  throw Error(
      ErrorKind::Interrupted,
      fmt::format("running \"{}\": it was stopped; what was finished is kept, and the same command resumes", stage));
}

class SilentProgress final : public Progress {
 public:
  void begin(std::string_view stage, int64_t, std::string_view) override { stage_ = stage; }
  void advance(int64_t) override { stop_if_interrupted(stage_); }
  void end() override {}
  void note(std::string_view) override {}

 private:
  std::string stage_;
};

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

class PrintedProgress final : public Progress {
 public:
  explicit PrintedProgress(detail::ProgressView view) : view_(std::move(view)) {}
  ~PrintedProgress() override { clear_line(); }

  void begin(std::string_view stage, int64_t total, std::string_view unit) override {
    if (is_open_) end();
    stage_ = stage;
    unit_ = unit;
    total_ = total;
    done_ = 0;
    started_ = shown_ = view_.now();
    is_open_ = true;
    if (view_.is_terminal) show();
  }

  void advance(int64_t done) override {
    done_ += done;
    const double interval = view_.is_terminal ? 0.1 : 5.0;
    if (is_open_ && view_.now() - shown_ >= interval) show();
    stop_if_interrupted(stage_);
  }

  void end() override {
    if (!is_open_) return;
    is_open_ = false;
    const double elapsed = view_.now() - started_;
    std::string line = fmt::format("{}: {} {} in {}", stage_, format_count(done_), unit_, format_seconds(elapsed));
    if (elapsed > 0.1) line += fmt::format(" ({}/s)", rate_text());
    print_line(line);
  }

  void note(std::string_view line) override {
    print_line(line);
    if (is_open_ && view_.is_terminal) show();
  }

 private:
  std::string rate_text() const {
    const double elapsed = std::max(view_.now() - started_, 1e-9);
    const double rate = static_cast<double>(done_) / elapsed;
    return rate < 10 ? fmt::format("{:.1f}", rate) : format_count(static_cast<int64_t>(rate));
  }

  /// "covariance  41%  412,717 of 1,000,000 tokens  23,412/s  25 s left".
  std::string state_text() const {
    if (total_ <= 0) return fmt::format("{}  {} {}  {}/s", stage_, format_count(done_), unit_, rate_text());
    const double elapsed = view_.now() - started_;
    const double left = done_ > 0 ? elapsed * static_cast<double>(total_ - done_) / static_cast<double>(done_) : 0;
    std::string text = fmt::format("{}  {}%  {} of {} {}", stage_, 100 * done_ / total_, format_count(done_),
                                   format_count(total_), unit_);
    if (done_ > 0) text += fmt::format("  {}/s  {} left", rate_text(), format_seconds(std::max(left, 0.0)));
    return text;
  }

  /// A line that the terminal would wrap could not be rewritten: it is cut, between characters.
  std::string line_that_fits() const {
    winsize size = {};
    const bool is_known = ioctl(fileno(view_.stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    const size_t width = is_known ? size.ws_col : 80;
    std::string line = state_text();
    if (line.size() < width) return line;
    size_t end = width - 1;
    while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0) == 0x80) --end;
    line.resize(end);
    return line;
  }

  void show() {
    shown_ = view_.now();
    if (!view_.is_terminal) {
      write(state_text() + "\n");
    } else if (view_.has_color) {
      write("\r\x1b[2K\x1b[2m" + line_that_fits() + "\x1b[0m");
    } else {
      write("\r\x1b[2K" + line_that_fits());
    }
  }

  void clear_line() {
    if (view_.is_terminal) write("\r\x1b[2K");
  }

  void print_line(std::string_view line) {
    clear_line();
    write(std::string(line) + "\n");
  }

  /// A stream that takes nothing more does not stop the job.
  void write(const std::string& text) const {
    std::fputs(text.c_str(), view_.stream);
    std::fflush(view_.stream);
  }

  detail::ProgressView view_;
  std::string stage_, unit_;
  int64_t total_ = 0, done_ = 0;
  double started_ = 0, shown_ = 0;
  bool is_open_ = false;
};

}  // namespace

Progress& silent_progress() {
  static SilentProgress progress;
  return progress;
}

std::unique_ptr<Progress> make_progress(bool quiet) {
  if (quiet) return std::make_unique<SilentProgress>();
  const char* no_color = std::getenv("NO_COLOR");  // https://no-color.org: any value but the empty one
  const char* terminal = std::getenv("TERM");
  const bool is_terminal = isatty(STDERR_FILENO) != 0 && terminal != nullptr && std::string_view(terminal) != "dumb";
  return detail::make_progress({.stream = stderr,
                                .is_terminal = is_terminal,
                                .has_color = is_terminal && (no_color == nullptr || no_color[0] == 0),
                                .now = steady_seconds});
}

namespace detail {
std::unique_ptr<Progress> make_progress(ProgressView view) {
  return std::make_unique<PrintedProgress>(std::move(view));
}
}  // namespace detail

void catch_interrupts() {
  struct sigaction action = {};
  action.sa_handler = on_interrupt;
  action.sa_flags = SA_RESTART;  // file writes in progress are finished
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupt_requested() noexcept {
  return interrupted.load();
}

}  // namespace assay
