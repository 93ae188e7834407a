#include "assay/report/amount_axis.h"

#include <algorithm>
#include <cmath>

#include "assay/report/numbers.h"
#include "assay/report/svg.h"

namespace assay::report {
namespace {

constexpr double kRoom = 0.03;            // of the span, on both sides
constexpr double kSmallBeside = 0.35;     // below this share of the largest amount the axis begins at zero
constexpr double kSmallestFactor = 1e-6;  // of the largest amount: the least that an axis by factors tells apart

std::vector<double> powers_of_ten(double from, double to, int wanted) {
  const double first = std::ceil(from - 1e-9);
  const double every = std::max(1.0, std::ceil((std::floor(to + 1e-9) - first + 1) / wanted));
  std::vector<double> out;
  for (double exponent = first; exponent <= to + 1e-9; exponent += every) out.push_back(std::pow(10.0, exponent));
  return out;
}

}  // namespace

AmountAxis AmountAxis::even(double low, double high) {
  const double top = std::max(high, low);
  if (top <= 0) return {0, 1, false};
  const double from = low < kSmallBeside * top ? 0 : low;
  const double span = top > from ? top - from : 0.2 * top;
  return {from == 0 ? 0 : from - kRoom * span, top + kRoom * span, false};
}

AmountAxis AmountAxis::by_factors(double low, double high) {
  if (high <= 0) return even(low, high);
  const double to = std::log10(high);
  const double from = std::log10(std::max(low, kSmallestFactor * high));
  const double span = std::max(to - from, 0.1);
  return {to - (1 + kRoom) * span, to + kRoom * span, true};
}

double AmountAxis::operator()(double value) const {
  const double place = is_by_factors_ ? (value > 0 ? std::log10(value) : from_) : value;
  return std::clamp((place - from_) / (to_ - from_), 0.0, 1.0);
}

std::vector<AmountAxis::Tick> AmountAxis::ticks(int wanted) const {
  std::vector<Tick> out;
  if (is_by_factors_ && to_ - from_ > 1) {
    const bool is_narrow = to_ - from_ < 2.5;
    for (const double power : powers_of_ten(std::floor(from_), to_, is_narrow ? 99 : wanted)) {
      for (const double value : {power, 2 * power, 5 * power}) {
        if (value != power && !is_narrow) continue;
        if (std::log10(value) >= from_ && std::log10(value) <= to_) out.push_back({value, significant(value, 1)});
      }
    }
    return out;
  }
  const LinearAxis axis =
      is_by_factors_ ? LinearAxis{std::pow(10.0, from_), std::pow(10.0, to_)} : LinearAxis{from_, to_};
  const std::vector<double> values = round_ticks(axis, wanted);
  const double step = values.size() > 1 ? values[1] - values[0] : std::max(std::abs(axis.high), 1e-12);
  const int decimals = std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9)));
  for (const double value : values) {
    out.push_back({value, decimals > 6 ? significant(value, 2) : fixed(value, decimals)});
  }
  return out;
}

}  // namespace assay::report
