// Colour steps: classes, not computed colours. A value's step is the number of thresholds that its size reaches; its
// sign chooses blue (p1 … p4) or orange (n1 … n4); an amount without a sign takes grey (s1 … s5). One scale a page,
// printed in its key.
#pragma once

#include <array>
#include <string>

namespace assay::report {

class SignedSteps {
 public:
  /// 0.02, 0.1, 0.5, 2.5 times the largest power of ten at which `largest` still reaches the last step.
  static SignedSteps per_token(double largest);
  /// 0.1, 1, 3, 8 % for shares of a total of 1.
  static SignedSteps shares();

  /// 0 (paper) to 4.
  int step(double value) const;
  /// "p3", "n1", or "" for paper.
  std::string css_class(double value) const;
  const std::array<double, 4>& thresholds() const { return thresholds_; }

 private:
  explicit SignedSteps(std::array<double, 4> thresholds) : thresholds_(thresholds) {}
  std::array<double, 4> thresholds_;
};

/// Surprise in nats: "s1" for any, from 0.01 "s2", 0.03 "s3", 0.1 "s4", 0.3 "s5".
std::string surprise_class(double nats);

}  // namespace assay::report
