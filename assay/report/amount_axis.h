// An axis of amounts without a sign (losses, learning rates): even, or by factors where the amounts span many of them.
#pragma once

#include <string>
#include <vector>

namespace assay::report {

class AmountAxis {
 public:
  struct Tick {
    double value = 0;
    std::string label;
  };

  /// Even from `low` to `high` with a little room; from zero where `low` is small beside `high`.
  static AmountAxis even(double low, double high);
  /// By factors. What is below a millionth of `high` is drawn at the axis' end, zero among it.
  static AmountAxis by_factors(double low, double high);

  /// The share of the axis at which a value lies, from 0 to 1.
  double operator()(double value) const;
  bool is_by_factors() const { return is_by_factors_; }
  /// Round amounts inside the axis, about `wanted` of them, with as many decimals as tell them apart.
  std::vector<Tick> ticks(int wanted) const;

 private:
  AmountAxis(double from, double to, bool is_by_factors) : from_(from), to_(to), is_by_factors_(is_by_factors) {}

  double from_;  // of the values, or of their logarithms
  double to_;
  bool is_by_factors_;
};

}  // namespace assay::report
