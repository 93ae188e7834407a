#include "assay/report/distribution.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "assay/report/support.h"
#include "assay/report/svg.h"
#include "assay/report/table_details.h"

namespace assay::report {
namespace {

constexpr int kHeight = 196;  // of the plot
constexpr int kTop = 16;      // room for the words above it
constexpr std::size_t kBins = 150;
constexpr double kDotStep = 4.3;
constexpr std::size_t kMostDots = 2000;

/// sinh⁻¹(v / c) with c a third of the median size, scaled to the range of the values with zero in view.
class SinhAxis {
 public:
  SinhAxis(const std::vector<double>& values, const Support& support)
      : scale_(support.median_size > 0 ? support.median_size / 3
               : support.largest > 0   ? support.largest / 100
                                       : 1) {
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    low_ = std::min(0.0, *low);
    high_ = std::max(0.0, *high);
    if (low_ == high_) low_ = -(high_ = 1);
    const double room = 0.02 * (warp(high_) - warp(low_));
    from_ = warp(low_) - room;
    to_ = warp(high_) + room;
  }
  double operator()(double value) const { return (warp(value) - from_) / (to_ - from_); }
  double low() const { return low_; }
  double high() const { return high_; }
  double smallest_shown() const { return scale_; }

 private:
  double warp(double value) const { return std::asinh(value / scale_); }
  double scale_;
  double low_ = 0;
  double high_ = 0;
  double from_ = 0;
  double to_ = 1;
};

std::size_t bin_of(double x) {
  return std::min(kBins - 1, static_cast<std::size_t>(std::max(0.0, x) * static_cast<double>(kBins)));
}

double middle_of(std::size_t bin) {
  return (static_cast<double>(bin) + 0.5) / static_cast<double>(kBins);
}

struct Histogram {
  std::array<int, kBins> above{};    // supporters in each bin
  std::array<int, kBins> below{};    // opponents
  std::array<int, kBins> neither{};  // exactly zero
  int tallest = 0;
};

Histogram histogram_of(const std::vector<double>& values, const SinhAxis& axis) {
  Histogram out;
  for (const double value : values) {
    const std::size_t bin = bin_of(axis(value));
    ++(value > 0 ? out.above : value < 0 ? out.below : out.neither)[bin];
    out.tallest = std::max(out.tallest, out.above[bin] + out.below[bin] + out.neither[bin]);
  }
  return out;
}

/// Stacks of dots (or bars) of one kind, on top of `base` others in the same bin.
std::string marks(const std::array<int, kBins>& counts, std::array<int, kBins>& base, double step, bool as_bars) {
  std::string path;
  for (std::size_t bin = 0; bin < kBins; ++bin) {
    const std::string x = thousandths(middle_of(bin));
    if (as_bars && counts[bin] > 0) {
      path += fmt::format("M{} {}V{}", x, pixels(kHeight - step * base[bin]),
                          pixels(kHeight - step * (base[bin] + counts[bin])));
    }
    for (int i = 0; !as_bars && i < counts[bin]; ++i) {
      path += i == 0 ? fmt::format("M{} {}h0", x, pixels(kHeight - 3 - step * base[bin]))
                     : fmt::format("m0-{}h0", pixels(step));
    }
    base[bin] += counts[bin];
  }
  return path;
}

struct Tick {
  double value;
  double x;
  bool is_wide_only;
};

/// Zero and powers of ten on both sides, as many as there is room for.
std::vector<Tick> ticks_of(const SinhAxis& axis) {
  std::vector<Tick> out = {{0, axis(0), false}};
  for (const double sign : {1.0, -1.0}) {
    const double end = sign > 0 ? axis.high() : -axis.low();
    if (end <= 0) continue;
    std::vector<double> side;
    for (double power = std::pow(10.0, std::floor(std::log10(end))); power >= axis.smallest_shown(); power /= 10) {
      side.push_back(sign * power);
    }
    double last = sign > 0 ? 2 : -1;  // outermost first, so that the range is legible
    for (const double value : side) {
      const double x = axis(value);
      if (std::abs(x - last) < 0.09 || std::abs(x - axis(0)) < 0.06) continue;
      const bool is_wide_only = (last >= 0 && last <= 1 && std::abs(x - last) < 0.17) || std::abs(x - axis(0)) < 0.12;
      out.push_back({value, x, is_wide_only});
      if (!is_wide_only || last < 0 || last > 1) last = x;
    }
  }
  return out;
}

/// Ranks of the shown documents at their dots: one by one where there is room, else as a range.
Html rank_labels(const std::vector<double>& values, const std::vector<std::int64_t>& shown, const SinhAxis& axis,
                 const std::string& sign_class) {
  Html out;
  const auto x_of = [&](std::size_t i) { return axis(values[static_cast<std::size_t>(shown[i])]); };
  for (std::size_t begin = 0; begin < shown.size();) {
    std::size_t end = begin + 1;
    while (end < shown.size() && std::abs(x_of(end) - x_of(end - 1)) < (end - begin == 1 ? 0.024 : 0.05)) ++end;
    const bool is_single = end - begin == 1;
    const std::string text =
        is_single ? std::to_string(begin + 1) : std::to_string(begin + 1) + " to " + std::to_string(end);
    out += svg_text((x_of(begin) + x_of(end - 1)) / 2, kHeight - (is_single ? 12 : 30), "m h " + sign_class,
                    Html::text(text));
    begin = end;
  }
  return out;
}

std::string large_dots(const std::vector<double>& values, const std::vector<std::int64_t>& shown,
                       const SinhAxis& axis) {
  std::string path;
  for (const std::int64_t document : shown) {
    path +=
        fmt::format("M{} {}h0", thousandths(axis(values.at(static_cast<std::size_t>(document)))), pixels(kHeight - 3));
  }
  return path;
}

Html stroke(const std::string& classes, const std::string& path, const std::string& style = "") {
  if (path.empty()) return {};
  return html("<path class=\"{}\"{} d=\"{}\"/>", classes, style.empty() ? Html() : html(" style=\"{}\"", style), path);
}

double quantile(const std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (at - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

Html quantile_table(std::vector<double> values, const ScoreUnit& unit) {
  std::sort(values.begin(), values.end());
  std::vector<Column> columns = {{"Quantile", false}};
  std::vector<Html> row = {Html::text(unit.name.empty() ? "score" : unit.name)};
  for (const double q : {0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0}) {
    columns.push_back({percent(q), true});
    row.push_back(Html::text(signed_fixed(quantile(values, q) * unit.factor, unit.decimals + 1)));
  }
  return table_details("quantiles of the scores", columns, {row});
}

}  // namespace

Html distribution(FigureNumbers& numbers, const std::vector<double>& values, const std::vector<std::int64_t>& top,
                  const std::vector<std::int64_t>& bottom, const ScoreUnit& unit, const Noun& noun, bool is_signed) {
  if (values.empty()) return {};
  const Support support = support_of(values);
  const SinhAxis axis(values, support);
  const Histogram histogram = histogram_of(values, axis);
  const double room = kHeight - kTop - 4;
  const bool as_bars = values.size() > kMostDots || kDotStep * histogram.tallest > 2 * room;
  const double step = std::min(kDotStep, room / std::max(1, histogram.tallest));

  std::array<int, kBins> base{};
  const std::string style = as_bars ? "stroke-width:.5%;stroke-linecap:butt" : "";
  const Html grey = stroke("ax", marks(histogram.neither, base, step, as_bars), style);
  const Html orange = stroke(is_signed ? "t4" : "ax", marks(histogram.below, base, step, as_bars), style);
  const Html blue = stroke(is_signed ? "s4" : "ax", marks(histogram.above, base, step, as_bars), style);

  std::string grid;
  Html labels;
  for (const Tick& tick : ticks_of(axis)) {
    if (tick.value != 0) grid += "M" + thousandths(tick.x) + " " + std::to_string(kTop) + "V" + std::to_string(kHeight);
    const std::string text = tick_label(tick.value * unit.factor);
    labels += svg_text(tick.x, kHeight + 17, tick.is_wide_only ? "m wide" : "m", Html::text(text));
  }
  const bool has_both_signs = is_signed && support.opponents() > 0 && support.supporters() > 0;
  if (has_both_signs) {
    labels += svg_text(axis(0), 10, "e nt", Html::text("opposes"), -8) +
              svg_text(axis(0), 10, "pt", Html::text("supports"), 8);
  }
  labels += rank_labels(values, top, axis, is_signed ? "pt" : "b") +
            rank_labels(values, bottom, axis, is_signed ? "nt" : "b");
  const std::string axis_title = (unit.name.empty() ? "score" : unit.name) + ", spaced by sinh⁻¹";
  labels += svg_text(1, kHeight + 36, "e", Html::text(axis_title));

  const Html plot =
      path_layer(kHeight, stroke("gr", grid) + html("<path class=\"ax\" d=\"M0 {}H1000\"/>", kHeight) +
                              html("<path class=\"z\" d=\"M{} 0V{}\"/>", thousandths(axis(0)), kHeight) +
                              html("<g class=\"dots\">{}{}</g>", grey + orange + blue,
                                   stroke(is_signed ? "sp big" : "z big", large_dots(values, top, axis)) +
                                       stroke(is_signed ? "sn big" : "z big", large_dots(values, bottom, axis))));
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const std::string n = count(std::ssize(values));
  const std::string description = "Histogram on an inverse hyperbolic sine axis, from " + unit.print(*low) + " to " +
                                  unit.with_name(*high) + "; half of the scores lie within " +
                                  significant(support.median_size * unit.factor, 2) + " of zero.";
  return html("<figure><div class=\"plr\">{}</div>\n{}</figure>\n",
              svg_figure(numbers, kHeight + 42,
                         "Distribution of the scores of " + n + " " + (values.size() == 1 ? noun.one : noun.many),
                         description, plot + labels),
              quantile_table(values, unit));
}

}  // namespace assay::report
