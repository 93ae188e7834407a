#include "assay/report/color_steps.h"

#include <algorithm>
#include <cmath>

#include "assay/core/twin.h"
#include "assay/report/numbers.h"

namespace assay::report {

SignedSteps SignedSteps::per_token(double largest) {
  const double size = std::abs(finite(largest, "the largest value of a token"));
  if (size == 0) return SignedSteps({2e-5, 1e-4, 5e-4, 2.5e-3});
  const double power = std::pow(10.0, std::floor(std::log10(size / 2.5) + 1e-9));
  return SignedSteps({0.02 * power, 0.1 * power, 0.5 * power, 2.5 * power});
}

SignedSteps SignedSteps::shares() {
  return SignedSteps({0.001, 0.01, 0.03, 0.08});
}

int SignedSteps::step(double value) const {
  const double size = std::abs(finite(value, "a shaded value")) * (1 + 1e-9);  // a value on a threshold reaches it
  return static_cast<int>(std::count_if(thresholds_.begin(), thresholds_.end(), [&](double t) { return size >= t; }));
}

std::string SignedSteps::css_class(double value) const {
  const int reached = step(value);
  if (reached == 0) return "";
  const bool supports = ASSAY_TWIN("report.sign_swapped") ? value < 0 : value > 0;
  return (supports ? "p" : "n") + std::to_string(reached);
}

std::string surprise_class(double nats) {
  constexpr std::array<double, 4> kThresholds = {0.01, 0.03, 0.1, 0.3};
  const auto reached =
      std::count_if(kThresholds.begin(), kThresholds.end(), [&](double t) { return finite(nats, "a surprise") >= t; });
  return "s" + std::to_string(1 + reached);
}

}  // namespace assay::report
