#include "cli/config_options.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iterator>

#include "assay/core/error.h"
#include "assay/core/near_match.h"

namespace assay::cli {
namespace {

toml::table parse_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  if (!file)
    throw Error(ErrorKind::Data,
                fmt::format("reading --config \"{}\": it must be a file that can be read; check the path", path));
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    throw Error(ErrorKind::Data,
                fmt::format("reading --config \"{}\": it must be TOML, but at line {}, column {}: {}; correct it", path,
                            error.source().begin.line, error.source().begin.column, error.description()));
  }
}

std::string value_text(const toml::node& node, const std::string& key) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
  if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
  throw Error(ErrorKind::Usage,
              fmt::format("reading --config: the value of \"{}\" must be a text, a number, true or false, but it is "
                          "something else; correct it",
                          key));
}

const CLI::Option& option_of_key(const CLI::App& command, const std::string& key) {
  std::vector<std::string> known;
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_positional() || option->check_lname("config") || option->check_lname("help")) continue;
    if (option->check_lname(key)) return *option;
    known.push_back(option->get_lnames().front());
  }
  throw Error(ErrorKind::Usage,
              fmt::format("reading --config: a key must be an option of \"{}\", but \"{}\" is none{}; list "
                          "them with \"{} --help\"",
                          command.get_name(), key, closest_clause(key, known), command.get_name()));
}

}  // namespace

std::vector<std::string> read_config(const CLI::App& command, const std::string& path,
                                     const std::vector<std::string>& given) {
  std::vector<std::string> words;
  for (const auto& [toml_key, node] : parse_file(path)) {
    const std::string key(toml_key.str());
    const CLI::Option& option = option_of_key(command, key);
    const std::string name = "--" + key;
    if (std::find(given.begin(), given.end(), name) != given.end()) continue;
    const std::string text = value_text(node, key);
    if (option.get_expected_max() > 0) {
      words.push_back(name + "=" + text);
    } else if (text == "true") {
      words.push_back(name);
    } else if (text != "false") {
      throw Error(
          ErrorKind::Usage,
          fmt::format(
              "reading --config: \"{}\" is a switch and must be true or false, but it is \"{}\"; correct the file", key,
              text));
    }
  }
  return words;
}

}  // namespace assay::cli
