// Factory strings: one short text names a method and its arguments, `ekfac(damping=0.1,labels=sampled)`. The same text
// serves the command line, recipes, cache keys and reports. What may be written stands in a table of FactorySpec; the
// parsed call holds every argument of the table, with its default where the text gives none.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

enum class ArgumentType {
  Number,   ///< a decimal number in [minimum, maximum], or one of `choices` (e.g. "auto")
  Integer,  ///< a whole number in [minimum, maximum], or one of `choices`
  Choice,   ///< one of `choices`
  Text,     ///< anything; quoted with "..." when it holds a comma, a quote or a parenthesis
};

struct FactoryArgument {
  std::string name;
  ArgumentType type = ArgumentType::Text;
  std::string default_value;
  std::string doc;  ///< half a line, with the unit
  std::vector<std::string> choices = {};
  double minimum = -std::numeric_limits<double>::infinity();
  double maximum = std::numeric_limits<double>::infinity();
};

struct FactorySpec {
  std::string name;
  std::string summary;  ///< one sentence for help
  std::vector<FactoryArgument> arguments = {};
};

/// A checked call. Asking for an argument that its table lacks, or as the wrong type, is our own mistake (Internal).
class FactoryCall {
 public:
  const std::string& name() const { return name_; }
  double number(std::string_view argument) const;
  int64_t integer(std::string_view argument) const;
  const std::string& text(std::string_view argument) const;
  /// True where the value is one of the argument's words instead of a number.
  bool is_word(std::string_view argument, std::string_view word) const { return text(argument) == word; }

  /// `ekfac(damping=0.1,labels=sampled)`: every argument in the table's order, numbers in their shortest exact form.
  /// Two texts that mean the same have the same canonical form.
  std::string canonical() const;

 private:
  friend FactoryCall parse_factory(std::string_view, std::span<const FactorySpec>, std::string_view);
  struct Value {
    FactoryArgument argument;
    std::string text;
  };
  const Value& find(std::string_view argument) const;

  std::string name_;
  std::vector<Value> values_;
};

/// Parses `text` against `table`; a number that stands first without a name is the first argument: `bm25(100)`. `what`
/// is the word for the kind of thing ("method") in messages. Errors: Usage, naming what is wrong, where, and the
/// nearest known name.
FactoryCall parse_factory(std::string_view text, std::span<const FactorySpec> table, std::string_view what);

/// The table as lines for help: each method with its defaults and its summary, then what the arguments mean.
std::string describe_factories(std::span<const FactorySpec> table);

}  // namespace assay
