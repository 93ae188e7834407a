#include "assay/report/numbers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "assay/core/error.h"

namespace assay::report {
namespace {

constexpr std::string_view kMinus = "\u2212";
constexpr const char* kPercent = "\u00A0%";  // never the first thing on a line

/// Digits of |value| with commas, and whether anything but zeros is left after rounding.
struct Digits {
  std::string text;
  bool is_zero = true;
};

Digits digits_of(double value, int decimals) {
  std::string plain = fmt::format("{:.{}f}", std::abs(value), std::max(0, decimals));
  const bool is_zero = plain.find_first_of("123456789") == std::string::npos;
  const std::size_t point = std::min(plain.find('.'), plain.size());
  for (std::size_t at = point; at > 3; at -= 3) plain.insert(at - 3, ",");
  return {plain, is_zero};
}

std::string superscript(int exponent) {
  constexpr std::array<std::string_view, 10> kDigits = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string out = exponent < 0 ? "⁻" : "";
  for (const char c : std::to_string(std::abs(exponent))) out += kDigits[static_cast<std::size_t>(c - '0')];
  return out;
}

int exponent_of(double value) {
  return static_cast<int>(std::floor(std::log10(std::abs(value))));
}

std::string unsigned_significant(double value, int digits) {
  const double size = std::abs(value);
  if (size == 0) return "0";
  // Rounding may raise the exponent: 9.996 has three significant digits as 10.0.
  const int before = exponent_of(size);
  const double step = std::pow(10.0, before - digits + 1);
  const double rounded = std::round(size / step) * step;
  const int exponent = exponent_of(rounded * (1 + 1e-12));
  if (exponent < -6 || exponent > 11) {
    return fmt::format("{:.{}f} × 10{}", rounded / std::pow(10.0, exponent), digits - 1, superscript(exponent));
  }
  return digits_of(rounded, std::max(0, digits - 1 - exponent)).text;
}

}  // namespace

double finite(double value, std::string_view name) {
  if (!std::isfinite(value)) {
    throw Error(ErrorKind::Internal,
                fmt::format("writing the report: every number must be finite, but {} is {}; this is a "
                            "mistake of the program, please report it",
                            name, value));
  }
  return value;
}

std::string fixed(double value, int decimals) {
  const Digits digits = digits_of(finite(value, "a printed number"), decimals);
  return (value < 0 && !digits.is_zero ? std::string(kMinus) : "") + digits.text;
}

std::string signed_fixed(double value, int decimals) {
  const std::string text = fixed(value, decimals);
  return value > 0 && text.find_first_of("123456789") != std::string::npos ? "+" + text : text;
}

std::string significant(double value, int digits) {
  const std::string size = unsigned_significant(finite(value, "a printed number"), digits);
  return value < 0 ? std::string(kMinus) + size : size;
}

std::string signed_significant(double value, int digits) {
  return (value > 0 ? "+" : "") + significant(value, digits);
}

std::string labelled(const std::string& label, std::int64_t number) {
  return label.empty() ? count(number) : label;
}

std::string count(std::int64_t n) {
  return fixed(static_cast<double>(n), 0);
}

std::string count_in_words(std::int64_t n) {
  constexpr std::array<std::string_view, 13> kWords = {"zero",  "one",   "two",  "three", "four",   "five",  "six",
                                                       "seven", "eight", "nine", "ten",   "eleven", "twelve"};
  return n >= 0 && n < std::ssize(kWords) ? std::string(kWords[static_cast<std::size_t>(n)]) : count(n);
}

std::string capitalised(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

std::string counted(std::int64_t n, const Noun& noun) {
  return count_in_words(n) + " " + (n == 1 ? noun.one : noun.many);
}

std::string counted_in_digits(std::int64_t n, const Noun& noun) {
  return count(n) + " " + (n == 1 ? noun.one : noun.many);
}

std::string percent(double share, int decimals) {
  return fixed(100 * share, decimals) + kPercent;
}

std::string percent(double share) {
  const double size = std::abs(finite(share, "a share"));
  if (size == 0) return std::string("0") + kPercent;
  // Near 0 and near 1 the distance to the end is what matters.
  const double distance = size < 1 ? std::min(size, 1 - size) : size;
  const int decimals = distance == 0 || distance > 0.0095 ? 0 : std::clamp(-exponent_of(105 * distance), 1, 8);
  return size < 1e-9 ? significant(100 * share, 2) + kPercent : percent(share, decimals);
}

PercentPair percent_pair(double first, double second) {
  const double gap = std::abs(100 * (finite(first, "a probability") - finite(second, "a probability")));
  const int decimals = gap == 0 ? 2 : std::clamp(-exponent_of(gap), 2, 6);
  PercentPair pair{fixed(100 * first, decimals), fixed(100 * second, decimals), false};
  pair.differs = pair.first != pair.second;
  return pair;
}

std::string interval(const Interval& value, int decimals) {
  return fmt::format("[{}, {}]", fixed(value.low, decimals), fixed(value.high, decimals));
}

std::string tick_label(double value) {
  int digits = 1;
  for (; digits < 3 && value != 0; ++digits) {
    const double step = std::pow(10.0, exponent_of(value) - digits + 1);
    if (std::abs(std::round(value / step) * step - value) < 1e-6 * std::abs(value)) break;
  }
  return signed_significant(value, digits);
}

std::string fraction_in_words(double share) {
  struct Fraction {
    double value;
    std::string_view words;
  };
  constexpr std::array<Fraction, 12> kFractions = {{{0.1, "a tenth"},
                                                    {0.2, "a fifth"},
                                                    {0.25, "a quarter"},
                                                    {1.0 / 3, "a third"},
                                                    {0.4, "two fifths"},
                                                    {0.5, "half"},
                                                    {0.6, "three fifths"},
                                                    {2.0 / 3, "two thirds"},
                                                    {0.75, "three quarters"},
                                                    {0.8, "four fifths"},
                                                    {0.9, "nine tenths"},
                                                    {1, "all"}}};
  for (const Fraction& fraction : kFractions) {
    if (std::abs(share - fraction.value) <= (fraction.value == 1 ? 1e-9 : 0.02)) return std::string(fraction.words);
  }
  return "";
}

int decimals_for(double largest, int most) {
  if (finite(largest, "the largest value of a column") == 0) return 0;
  return std::clamp(2 - exponent_of(std::abs(largest) * (1 + 1e-9)), 0, most);
}

NamedUnit unit_in_words(double largest, const std::string& one, const std::string& many) {
  constexpr std::array<std::string_view, 4> kParts = {"thousandths", "millionths", "billionths", "trillionths"};
  const double size = std::abs(finite(largest, "the largest value of a unit"));
  if (size == 0 || size >= 1) return {1, many};
  const int thousands = std::min(4, static_cast<int>(std::ceil(-exponent_of(size) / 3.0)));
  return {std::pow(1000.0, thousands), std::string(kParts[static_cast<std::size_t>(thousands - 1)]) + " of " + one};
}

std::string ScoreUnit::with_name(double value) const {
  return print(value) + (name.empty() ? "" : " " + name);
}

ScoreUnit score_unit(double largest, std::string_view name) {
  ScoreUnit unit{1, std::string(name), 0};
  const double size = std::abs(finite(largest, "the largest score"));
  if (size == 0) return unit;
  // From 0.001 to 100,000 a number reads best as it is; outside, 1 to 999 of a power of a thousand.
  if (size < 0.001 || size >= 1e5) {
    const int exponent = 3 * static_cast<int>(std::floor(exponent_of(size) / 3.0));
    unit.factor = std::pow(10.0, -exponent);
    unit.name = fmt::format("× 10{}{}{}", superscript(exponent), name.empty() ? "" : " ", name);
  }
  unit.decimals = decimals_for(size * unit.factor);
  return unit;
}

}  // namespace assay::report
