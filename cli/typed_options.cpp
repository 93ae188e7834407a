#include "cli/typed_options.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

namespace assay::cli {
namespace {

[[noreturn]] void refuse(const std::string& name, const std::string& rule, const std::string& text) {
  throw Error(ErrorKind::Usage,
              fmt::format("reading {}: it must be {}, but it is \"{}\"; correct it", name, rule, text));
}

template <typename Value>
bool read_whole(std::string_view text, Value& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

std::string rule_of(IntegerRange range) {
  if (range.maximum == std::numeric_limits<int64_t>::max()) {
    return fmt::format("a whole number, {} or more", range.minimum);
  }
  return fmt::format("a whole number from {} to {}", range.minimum, range.maximum);
}

std::string rule_of(NumberRange range) {
  if (range.maximum == std::numeric_limits<double>::infinity()) {
    return fmt::format("a number, {} or more, with a decimal point", range.minimum);
  }
  return fmt::format("a number from {} to {}, with a decimal point", range.minimum, range.maximum);
}

}  // namespace

CLI::Option* add_text(CLI::App& command, const std::string& name, std::string& value, const std::string& type,
                      const std::string& doc) {
  return command.add_option(name, value, doc)->type_name(type)->default_str(value);
}

CLI::Option* add_filled_text(CLI::App& command, const std::string& name, std::string& value, const std::string& type,
                             const std::string& doc) {
  auto read = [name, type, &value](const std::string& text) {
    if (text.empty()) {
      throw Error(ErrorKind::Usage, fmt::format("reading {}: it must be {}, but it is empty; give one, or leave {} out",
                                                name, type, name));
    }
    value = text;
  };
  return command.add_option_function<std::string>(name, read, doc)->type_name(type)->default_str(value);
}

CLI::Option* add_integer(CLI::App& command, const std::string& name, int64_t& value, IntegerRange range,
                         const std::string& doc, const std::string& zero) {
  auto read = [name, range, &value](const std::string& text) {
    int64_t number = 0;
    if (!read_whole(text, number) || number < range.minimum || number > range.maximum)
      refuse(name, rule_of(range), text);
    value = number;
  };
  const std::string shown = value == 0 && !zero.empty() ? zero : std::to_string(value);
  return command.add_option_function<std::string>(name, read, doc)->type_name("N")->default_str(shown);
}

CLI::Option* add_number(CLI::App& command, const std::string& name, double& value, NumberRange range,
                        const std::string& doc) {
  auto read = [name, range, &value](const std::string& text) {
    double number = 0;
    const bool inside = read_whole(text, number) && number >= range.minimum && number <= range.maximum;
    if (!inside) refuse(name, rule_of(range), text);  // also refuses "nan", which is inside nothing
    value = number;
  };
  return command.add_option_function<std::string>(name, read, doc)
      ->type_name("X")
      ->default_str(fmt::format("{}", value));
}

CLI::Option* add_switch(CLI::App& command, const std::string& name, bool& value, const std::string& doc) {
  return command.add_flag_callback(
      name, [&value] { value = true; }, doc);
}

}  // namespace assay::cli
