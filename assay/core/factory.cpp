#include "assay/core/factory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

#include "assay/core/error.h"
#include "assay/core/near_match.h"

namespace assay {
namespace {

bool is_space(char c) {
  return c == ' ' || c == '\t';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

template <typename Value>
bool read_whole(std::string_view text, Value& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

bool needs_quotes(std::string_view text) {
  return text.empty() || text.find_first_of(",()\"= \t\\") != std::string_view::npos;
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

/// Reads one call from left to right; every refusal names the whole text and the place.
class Parser {
 public:
  Parser(std::string_view text, std::string_view what) : text_(text), what_(what) {}

  [[noreturn]] void refuse(const std::string& problem, const std::string& advice) const {
    throw Error(ErrorKind::Usage, fmt::format("reading the {} \"{}\": {}; {}", what_, text_, problem, advice));
  }
  /// The nearest of the known names is the advice, where one is near.
  [[noreturn]] void refuse_name(const std::string& problem, std::string_view name,
                                const std::vector<std::string>& known, const std::string& advice) const {
    const std::string closest = closest_clause(name, known);
    if (closest.empty()) refuse(problem, advice);
    throw Error(ErrorKind::Usage, fmt::format("reading the {} \"{}\": {}{}", what_, text_, problem, closest));
  }

  std::string word() {
    skip_spaces();
    const size_t begin = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == '_'))
      ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  bool take(char c) {
    skip_spaces();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void expect(char c) {
    if (take(c)) return;
    const std::string found = at_ == text_.size() ? "the end" : fmt::format("\"{}\"", text_.substr(at_, 1));
    refuse(fmt::format("it must read name(key=value,key=value), but character {} is {} where '{}' belongs", at_ + 1,
                       found, c),
           "write it so");
  }

  std::string value() {
    skip_spaces();
    if (at_ < text_.size() && text_[at_] == '"') return quoted_value();
    const size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != ',' && text_[at_] != ')') ++at_;
    return std::string(trimmed(text_.substr(begin, at_ - begin)));
  }

  bool at_digit() {
    skip_spaces();
    return at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9';
  }

  bool at_end() {
    skip_spaces();
    return at_ == text_.size();
  }

  std::string_view rest() const { return text_.substr(at_); }

 private:
  void skip_spaces() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }

  std::string quoted_value() {
    std::string out;
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      out += text_[at_];
    }
    expect('"');
    return out;
  }

  std::string_view text_;
  std::string_view what_;
  size_t at_ = 0;
};

std::string range_rule(const FactoryArgument& argument, const char* kind) {
  std::string rule = kind;
  const bool is_bounded = argument.maximum < std::numeric_limits<double>::infinity();
  const bool is_based = argument.minimum > -std::numeric_limits<double>::infinity();
  if (is_based && is_bounded)
    rule += fmt::format(" from {} to {}", argument.minimum, argument.maximum);
  else if (is_based)
    rule += fmt::format(", {} or more", argument.minimum);
  else if (is_bounded)
    rule += fmt::format(", {} or less", argument.maximum);
  for (const std::string& word : argument.choices) rule += fmt::format(", or \"{}\"", word);
  return rule;
}

/// The value in its canonical form, or a refusal.
std::string checked_value(const Parser& parser, const FactoryArgument& argument, const std::string& text) {
  const auto refuse = [&](const std::string& rule) {
    parser.refuse_name(fmt::format("{} must be {}, but it is \"{}\"", argument.name, rule, text), text,
                       argument.choices, fmt::format("correct it, or leave it out for {}", argument.default_value));
  };
  const bool is_listed = std::find(argument.choices.begin(), argument.choices.end(), text) != argument.choices.end();
  const auto inside = [&](double number) { return number >= argument.minimum && number <= argument.maximum; };
  switch (argument.type) {
    case ArgumentType::Number: {
      double number = 0;
      if (is_listed) return text;
      if (!read_whole(text, number) || !std::isfinite(number) || !inside(number))
        refuse(range_rule(argument, "a number"));
      return fmt::format("{}", number);
    }
    case ArgumentType::Integer: {
      int64_t number = 0;
      if (is_listed) return text;
      if (!read_whole(text, number) || !inside(static_cast<double>(number))) {
        refuse(range_rule(argument, "a whole number"));
      }
      return std::to_string(number);
    }
    case ArgumentType::Choice:
      if (!is_listed) refuse(fmt::format("one of {}", fmt::join(argument.choices, ", ")));
      return text;
    case ArgumentType::Text: return text;
  }
  return text;
}

}  // namespace

const FactoryCall::Value& FactoryCall::find(std::string_view argument) const {
  for (const Value& value : values_) {
    if (value.argument.name == argument) return value;
  }
  throw Error(ErrorKind::Internal,
              fmt::format("asking {} for its argument \"{}\": its table has none of that name", name_, argument));
}

double FactoryCall::number(std::string_view argument) const {
  double number = 0;
  ASSAY_ASSERT(read_whole(find(argument).text, number));
  return number;
}

int64_t FactoryCall::integer(std::string_view argument) const {
  int64_t number = 0;
  ASSAY_ASSERT(read_whole(find(argument).text, number));
  return number;
}

const std::string& FactoryCall::text(std::string_view argument) const {
  return find(argument).text;
}

std::string FactoryCall::canonical() const {
  if (values_.empty()) return name_;
  std::string out = name_ + "(";
  for (const Value& value : values_) {
    if (out.back() != '(') out += ',';
    out += value.argument.name + "=" + (needs_quotes(value.text) ? in_quotes(value.text) : value.text);
  }
  return out + ")";
}

FactoryCall parse_factory(std::string_view text, std::span<const FactorySpec> table, std::string_view what) {
  Parser parser(text, what);
  FactoryCall call;
  call.name_ = parser.word();

  std::vector<std::string> names;
  for (const FactorySpec& spec : table) names.push_back(spec.name);
  const auto spec = std::find(names.begin(), names.end(), call.name_);
  if (spec == names.end()) {
    parser.refuse_name(names.size() == 1
                           ? fmt::format("it must begin with {}, but it begins with \"{}\"", names.front(), call.name_)
                           : fmt::format("it must begin with one of {}, but it begins with \"{}\"",
                                         fmt::join(names, ", "), call.name_),
                       call.name_, names, names.size() == 1 ? "write " + names.front() : "choose one of these");
  }

  std::vector<std::string> known;
  for (const FactoryArgument& argument : table[static_cast<size_t>(spec - names.begin())].arguments) {
    known.push_back(argument.name);
    call.values_.push_back({argument, argument.default_value});
  }
  if (!parser.at_end()) {
    std::vector<std::string> seen;
    parser.expect('(');
    while (!parser.take(')')) {
      if (!seen.empty()) parser.expect(',');
      const bool is_first_number = seen.empty() && !known.empty() && parser.at_digit();
      const std::string key = is_first_number ? known.front() : parser.word();
      const auto place = std::find(known.begin(), known.end(), key);
      if (place == known.end()) {
        const std::string takes = known.empty() ? "no arguments" : fmt::format("{}", fmt::join(known, ", "));
        parser.refuse_name(fmt::format("{} takes {}, but found \"{}\"", call.name_, takes,
                                       key.empty() ? std::string(parser.rest().substr(0, 1)) : key),
                           key, known, "leave that out");
      }
      if (std::find(seen.begin(), seen.end(), key) != seen.end())
        parser.refuse(key + " may stand once, but stands twice", "leave one of them out");
      seen.push_back(key);
      if (!is_first_number) parser.expect('=');
      FactoryCall::Value& value = call.values_[static_cast<size_t>(place - known.begin())];
      value.text = checked_value(parser, value.argument, parser.value());
    }
    if (!parser.at_end())
      parser.refuse(fmt::format("nothing may follow the ')', but \"{}\" does", parser.rest()), "leave it out");
  }
  return call;
}

std::string describe_factories(std::span<const FactorySpec> table) {
  std::string out;
  std::vector<std::string> explained;  // methods share arguments: each is explained once
  std::string explanations;
  for (const FactorySpec& spec : table) {
    std::string call = spec.name;
    for (const FactoryArgument& argument : spec.arguments) {
      call += (call == spec.name ? "(" : ",") + argument.name + "=" + argument.default_value;
      if (std::find(explained.begin(), explained.end(), argument.name + argument.doc) != explained.end()) continue;
      explained.push_back(argument.name + argument.doc);
      const std::string choices =
          argument.choices.empty() ? "" : fmt::format(" ({})", fmt::join(argument.choices, "|"));
      explanations += fmt::format("  {:<26}{}{}\n", argument.name, argument.doc, choices);
    }
    if (!spec.arguments.empty()) call += ')';
    const std::string gap = call.size() > 24 ? "\n" + std::string(28, ' ') : std::string(26 - call.size(), ' ');
    out += fmt::format("  {}{}{}\n", call, gap, spec.summary);
  }
  return out + "\nTheir arguments\n" + explanations;
}

}  // namespace assay
