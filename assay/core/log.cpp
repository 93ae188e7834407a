#include "assay/core/log.h"

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <utility>

namespace assay {
namespace {

std::mutex mutex;

/// Appends to the file named by ASSAY_LOG; opened for each line, so that a crash loses nothing.
void append_to_file(LogLevel level, std::string_view line) {
  const char* path = std::getenv("ASSAY_LOG");
  if (path == nullptr || path[0] == 0) return;
  std::FILE* file = std::fopen(path, "a");
  if (file == nullptr) return;
  const std::string text = std::string(level == LogLevel::Warning ? "warning: " : "debug: ") + std::string(line) + "\n";
  std::fputs(text.c_str(), file);
  std::fclose(file);
}

LogSink& current_sink() {
  static LogSink sink = append_to_file;
  return sink;
}

}  // namespace

void log(LogLevel level, std::string_view line) {
  const std::lock_guard lock(mutex);
  current_sink()(level, line);
}

ScopedLogSink::ScopedLogSink(LogSink sink) {
  const std::lock_guard lock(mutex);
  before_ = std::exchange(current_sink(), std::move(sink));
}

ScopedLogSink::~ScopedLogSink() {
  const std::lock_guard lock(mutex);
  current_sink() = std::move(before_);
}

}  // namespace assay
