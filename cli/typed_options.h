// The few kinds of option that the commands' tables are made of. Values are read independently of the locale, ranges
// are checked where they are declared, and every refusal is one sentence (Error, kind Usage).
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "assay/core/error.h"
#include "assay/core/near_match.h"

namespace assay::cli {

struct IntegerRange {
  int64_t minimum = 0;
  int64_t maximum = std::numeric_limits<int64_t>::max();
};

struct NumberRange {
  double minimum = 0;
  double maximum = std::numeric_limits<double>::infinity();
};

/// A word or text. The default is shown unless it is empty.
CLI::Option* add_text(CLI::App& command, const std::string& name, std::string& value, const std::string& type,
                      const std::string& doc);

/// A text that says something: an empty one, which an unset variable of a shell leaves, is refused.
CLI::Option* add_filled_text(CLI::App& command, const std::string& name, std::string& value, const std::string& type,
                             const std::string& doc);

/// A whole number. `zero` is what help prints for a default of 0 ("all"); empty prints the number.
CLI::Option* add_integer(CLI::App& command, const std::string& name, int64_t& value, IntegerRange range,
                         const std::string& doc, const std::string& zero = "");

/// A decimal number; the point is a point in every locale.
CLI::Option* add_number(CLI::App& command, const std::string& name, double& value, NumberRange range,
                        const std::string& doc);

CLI::Option* add_switch(CLI::App& command, const std::string& name, bool& value, const std::string& doc);

/// One of a few words; `why` says in a refusal what they have in common.
template <typename Enum>
CLI::Option* add_choice(CLI::App& command, const std::string& name, Enum& value,
                        const std::vector<std::pair<std::string, Enum>>& choices, const std::string& doc,
                        const std::string& why = "") {
  std::vector<std::string> words;
  std::string type, default_word;
  for (const auto& [word, meaning] : choices) {
    words.push_back(word);
    type += (type.empty() ? "" : "|") + word;
    if (meaning == value) default_word = word;
  }
  const std::string rule = why.empty() ? type : type + ", " + why;
  auto read = [name, choices, words, rule, &value](const std::string& text) {
    for (const auto& [word, meaning] : choices) {
      if (word == text) {
        value = meaning;
        return;
      }
    }
    const std::string closest = closest_clause(text, words);
    throw Error(ErrorKind::Usage, "reading " + name + ": it must be one of " + rule + ", but it is \"" + text + "\"" +
                                      (closest.empty() ? "; choose one of them" : closest));
  };
  CLI::Option* option = command.add_option_function<std::string>(name, read, doc)->type_name(type);
  return option->default_str(default_word);
}

}  // namespace assay::cli
