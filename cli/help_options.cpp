#include "cli/help_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <vector>

#include "assay/core/version.h"

namespace assay::cli {
namespace {

constexpr size_t kNameColumn = 28;
constexpr size_t kWidth = 100;

/// `name` in the left column, `text` wrapped in the right one.
std::string entry(const std::string& name, const std::string& text) {
  std::string out = "  " + name;
  size_t column = out.size();
  if (column + 2 > kNameColumn) {
    out += "\n";
    column = 0;
  }
  out.append(kNameColumn - column, ' ');
  column = kNameColumn;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(' ', begin), text.size());
    if (column > kNameColumn && column + 1 + (end - begin) > kWidth) {
      out += "\n" + std::string(kNameColumn, ' ');
      column = kNameColumn;
    } else if (column > kNameColumn) {
      out += ' ';
      ++column;
    }
    out.append(text, begin, end - begin);
    column += end - begin;
    begin = end + 1;
  }
  return out + "\n";
}

bool takes_value(const CLI::Option& option) {
  return option.get_expected_max() > 0;
}

std::string option_entry(const CLI::Option& option) {
  std::string name = option.get_positional() ? option.get_type_name() : option.get_name(false, true);
  std::replace(name.begin(), name.end(), ',', ' ');
  if (!option.get_positional() && takes_value(option)) name += " " + option.get_type_name();
  std::string text = option.get_description();
  if (option.get_required() && !option.get_positional()) text += " (required)";
  if (takes_value(option) && !option.get_default_str().empty()) text += " (default: " + option.get_default_str() + ")";
  return entry(name, text);
}

std::string usage_line(const CLI::App& command) {
  std::string line = "Usage: " + command.get_name();
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_required()) {
      line += " " + display_name(*option);
      if (!option->get_positional()) line += " " + option->get_type_name();
    }
  }
  return line + " [options]\n";
}

}  // namespace

std::string display_name(const CLI::Option& option) {
  return option.get_positional() ? option.get_type_name() : "--" + option.get_lnames().front();
}

std::string command_help(const CLI::App& command) {
  std::vector<std::string> groups;
  for (const CLI::Option* option : command.get_options()) {
    if (std::find(groups.begin(), groups.end(), option->get_group()) == groups.end())
      groups.push_back(option->get_group());
  }
  std::string out = command.get_description() + "\n\n" + usage_line(command);
  for (const std::string& group : groups) {
    out += "\n" + group + "\n";
    for (const CLI::Option* option : command.get_options()) {
      if (option->get_group() == group) out += option_entry(*option);
    }
  }
  return out + "\n" + command.get_footer() + "\n";
}

std::string program_help(std::span<const std::pair<std::string, std::string>> commands) {
  std::string out = fmt::format(
      "Assay {} finds out what a neural network is made of: which training documents made it say something,\n"
      "with numbers that can be checked.\n\nUsage: assay COMMAND [options]\n\nCommands\n",
      version());
  for (const auto& [name, sentence] : commands) out += entry(name, sentence);
  return out +
         "\nWhere to begin\n"
         "  assay demo                  see it work on a corpus whose causes are known (four minutes, no download)\n"
         "  assay doctor                see what this machine can do\n"
         "  assay COMMAND --help        options and examples of a command\n"
         "  assay --version             version, library and cache folder\n";
}

}  // namespace assay::cli
