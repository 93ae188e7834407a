#include "bench/table/child.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>

#include "assay/core/error.h"

namespace assay::bench {
namespace {

std::string quoted(const std::string& word) {
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.rfind('\n') + 1);  // npos + 1 is 0
}

}  // namespace

std::string output_of(const std::vector<std::string>& command, bool show_errors) {
  std::string line;
  for (const std::string& word : command) line += quoted(word) + " ";
  std::FILE* pipe = ::popen((line + (show_errors ? "" : "2>&1")).c_str(), "r");
  if (pipe == nullptr) throw Error(ErrorKind::Resource, "benchmarking: no process could be started");
  std::string output;
  std::array<char, 4096> buffer;
  while (const size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe)) output.append(buffer.data(), count);
  const int status = ::pclose(pipe);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return output;
  throw Error(ErrorKind::Resource, fmt::format("benchmarking: this must succeed, but it ended with {}{}: {}",
                                               WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status),
                                               output.empty() ? "" : " (" + last_line(output) + ")", line));
}

}  // namespace assay::bench
