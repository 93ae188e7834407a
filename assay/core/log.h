// Diagnostics for whoever mends Assay: full texts of foreign errors, decisions taken, fall-backs. What a user should
// read goes through Progress::note. Library code never prints; it logs, and the program decides where lines go.
#pragma once

#include <functional>
#include <string_view>

namespace assay {

enum class LogLevel { Debug, Warning };

/// Passes one line to the sink. Without one, lines go to the file named by ASSAY_LOG, else nowhere. Thread-safe.
void log(LogLevel level, std::string_view line);

using LogSink = std::function<void(LogLevel, std::string_view)>;

/// Replaces the sink for the life of the object (tests, embedding programs). One at a time.
class ScopedLogSink {
 public:
  explicit ScopedLogSink(LogSink sink);
  ~ScopedLogSink();
  ScopedLogSink(const ScopedLogSink&) = delete;
  ScopedLogSink& operator=(const ScopedLogSink&) = delete;

 private:
  LogSink before_;
};

}  // namespace assay
