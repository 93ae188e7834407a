#include "cli/result.h"

#include <ATen/Parallel.h>

#include <cstdio>

#include "assay/core/machine.h"
#include "assay/core/version.h"

namespace assay::cli {

using nlohmann::ordered_json;

ordered_json result_head(const Invocation& invocation) {
  const CommonOptions& common = invocation.common();
  return {{"assay", version()},
          {"libtorch", ASSAY_TORCH_VERSION},
          {"command", invocation.command},
          {"arguments", invocation.arguments},
          {"seed", common.seed},
          {"threads", at::get_num_threads()},
          {"dtype", to_string(common.precision)},
          {"device", common.device == Device::Cuda ? "cuda" : "cpu"},
          {"processor", processor().model}};
}

std::string quoted_for_shell(const std::string& argument) {
  const bool is_plain = !argument.empty() && argument.find_first_not_of(
                                                 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                                 "_-./=,:@%+") == std::string::npos;
  if (is_plain) return argument;
  std::string quoted = "'";
  for (const char c : argument) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string shell_line(const Invocation& invocation) {
  std::string line = "assay " + invocation.command;
  for (const std::string& argument : invocation.arguments) line += " " + quoted_for_shell(argument);
  return line;
}

std::string json_text(const ordered_json& result) {
  return result.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

void print_json(const ordered_json& result) {
  const std::string text = json_text(result);
  std::fwrite(text.data(), 1, text.size(), stdout);
}

}  // namespace assay::cli
