// How numbers are written on a page: true minus, plus sign on signed values, thousands comma, three significant digits
// in prose, small counts in words. A value that rounds to zero has no sign. Never the user's locale.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "assay/report/view.h"

namespace assay::report {

/// Refuses what is not finite: throws ErrorKind::Internal with the name of the value.
double finite(double value, std::string_view name);

/// "0.0121", "−3.5", "1,234.5": fixed decimals, minus only where there is one.
std::string fixed(double value, int decimals);
/// "+0.0121", "−3.5", "0.00".
std::string signed_fixed(double value, int decimals);

/// Three significant digits for prose: "0.102", "412", "3.05", "12,300"; 0.00002 stays in decimals, below 1e-6 it is
/// "3.2 × 10⁻⁷".
std::string significant(double value, int digits = 3);
std::string signed_significant(double value, int digits = 3);

/// "412,717".
std::string count(std::int64_t n);
/// What something is called: its label, or its number where it has none.
std::string labelled(const std::string& label, std::int64_t number);
/// "eleven" up to twelve, then "1,000"; "no" is left to the sentence.
std::string count_in_words(std::int64_t n);
/// First letter (ASCII) raised, for the start of a sentence.
std::string capitalised(std::string text);
/// "one document", "eleven documents", "1,000 documents".
std::string counted(std::int64_t n, const Noun& noun);
/// "1 document", "11 documents", "1,000 documents": for tables and lines of facts.
std::string counted_in_digits(std::int64_t n, const Noun& noun);

/// A share as "54 %", "99.5 %", "0.3 %", "0.002 %", with a blank that does not break; 100 % only if it is all.
std::string percent(double share);
std::string percent(double share, int decimals);
/// Two shares in percent, with two decimals or as many more as it takes to tell them apart (six at most): "53.95",
/// "53.30".
struct PercentPair {
  std::string first;
  std::string second;
  bool differs = false;
};
PercentPair percent_pair(double first, double second);

/// "[0.75, 0.85]".
std::string interval(const Interval& value, int decimals);
/// A tick of an axis: signed, with as few digits as show it exactly (three at most).
std::string tick_label(double value);

/// "two fifths", "half"; "" where no simple fraction is within 0.02.
std::string fraction_in_words(double share);

/// Decimals that give `largest` three significant digits, at most `most`.
int decimals_for(double largest, int most = 9);

/// "thousandths of a nat": the unit of small values in words; `factor` as in ScoreUnit.
struct NamedUnit {
  double factor = 1;
  std::string name;
};
/// Chosen so that `largest` lies between 1 and 1000 where it is below 1.
NamedUnit unit_in_words(double largest, const std::string& one, const std::string& many);

/// The unit in which a page prints its scores: a power of a thousand that keeps the largest readable.
struct ScoreUnit {
  double factor = 1;  ///< printed = value × factor
  std::string name;   ///< "nats", "× 10⁻⁶ nats", "cosine"
  int decimals = 0;   ///< so that the largest has three significant digits

  std::string print(double value) const { return signed_fixed(value * factor, decimals); }
  /// "+0.0121 nats".
  std::string with_name(double value) const;
};
ScoreUnit score_unit(double largest, std::string_view name);

}  // namespace assay::report
