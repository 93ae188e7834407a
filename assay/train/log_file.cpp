#include "assay/train/log_file.h"

#include <fmt/core.h>

#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "assay/core/error.h"
#include "assay/io/atomic_file.h"

namespace assay::train {
namespace {

std::string line_of(const StepLog& log) {
  const nlohmann::ordered_json json = {{"step", log.step},         {"epoch", log.epoch},
                                       {"loss", log.loss},         {"penalty", log.penalty},
                                       {"rate", log.rate},         {"gradient_norm", log.gradient_norm},
                                       {"examples", log.examples}, {"tokens", log.tokens}};
  return json.dump() + "\n";
}

}  // namespace

std::vector<StepLog> read_log(const std::string& path) {
  std::vector<StepLog> steps;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    const auto number = [&](const char* key) { return json.value(key, 0.0); };
    const auto count = [&](const char* key) { return json.value(key, int64_t{0}); };
    if (!json.is_object() || count("step") != static_cast<int64_t>(steps.size())) break;
    steps.push_back({.step = count("step"),
                     .epoch = number("epoch"),
                     .loss = number("loss"),
                     .penalty = number("penalty"),
                     .rate = number("rate"),
                     .gradient_norm = number("gradient_norm"),
                     .examples = count("examples"),
                     .tokens = count("tokens")});
  }
  return steps;
}

LogFile::LogFile(const std::string& path, int64_t steps) : path_(path), file_(nullptr, &std::fclose) {
  std::string kept;
  for (const StepLog& log : read_log(path)) {
    if (log.step < steps) kept += line_of(log);
  }
  io::AtomicFile whole(path);
  whole.write(kept);
  whole.commit();
  file_.reset(std::fopen(path.c_str(), "ae"));
  if (!file_) {
    throw Error(
        ErrorKind::Resource,
        fmt::format(
            "writing the training log \"{}\": it must be writable, but {}; free the file or choose another folder",
            path, std::generic_category().message(errno)));
  }
}

void LogFile::add(const StepLog& log) {
  const std::string line = line_of(log);
  if (std::fwrite(line.data(), 1, line.size(), file_.get()) == line.size() && std::fflush(file_.get()) == 0) return;
  throw Error(
      ErrorKind::Resource,
      fmt::format("writing the training log \"{}\": the disk must take it, but {}; the same command again resumes",
                  path_, std::generic_category().message(errno)));
}

}  // namespace assay::train
