#include "assay/report/loss_curve.h"

#include <algorithm>
#include <cmath>

#include "assay/report/amount_axis.h"
#include "assay/report/numbers.h"
#include "assay/report/svg.h"
#include "assay/report/table_details.h"

namespace assay::report {
namespace {

constexpr int kCurveHeight = 260;
constexpr int kRateHeight = 56;
constexpr std::size_t kMostDrawnSteps = 1200;
constexpr std::size_t kPointsOfMean = 500;
constexpr std::size_t kTableRows = 12;
constexpr double kFactorsOfFall = 10;

/// Steps to shares of the width; the first is at the left end, the last at the right.
double across_of(const TrainingView& view, std::size_t i) {
  const auto first = static_cast<double>(view.log.front().step);
  const auto last = static_cast<double>(view.log.back().step);
  return (static_cast<double>(view.log[i].step) - first) / (last - first);
}

AmountAxis curve_axis(const TrainingFacts& facts) {
  double low = facts.first();
  double high = low;
  for (const TrainingStep& step : facts.view->log) {
    low = std::min(low, step.loss);
    high = std::max(high, step.loss);
  }
  const double lowest_mean = *std::min_element(facts.mean.begin(), facts.mean.end());
  const bool is_by_factors = lowest_mean > 0 && facts.first() > kFactorsOfFall * lowest_mean;
  return is_by_factors ? AmountAxis::by_factors(std::max(low, lowest_mean / 3), high) : AmountAxis::even(low, high);
}

double curve_down(const AmountAxis& axis, double value) {
  return kCurveHeight * (1 - axis(value));
}

/// A dot a step, or where there are many the span of neighbouring ones.
std::string pale_path(const TrainingView& view, const AmountAxis& axis) {
  const std::size_t group = 1 + (view.log.size() - 1) / kMostDrawnSteps;
  std::string path;
  for (std::size_t begin = 0; begin < view.log.size(); begin += group) {
    const std::size_t end = std::min(begin + group, view.log.size());
    double low = view.log[begin].loss;
    double high = low;
    for (std::size_t i = begin; i < end; ++i) {
      low = std::min(low, view.log[i].loss);
      high = std::max(high, view.log[i].loss);
    }
    path += "M" + thousandths(across_of(view, begin)) + " " + pixels(curve_down(axis, high));
    path += group == 1 ? "h0" : "V" + pixels(curve_down(axis, low));
  }
  return path;
}

std::string mean_path(const TrainingFacts& facts, const AmountAxis& axis) {
  const std::size_t steps = facts.mean.size();
  const std::size_t every = 1 + (steps - 1) / kPointsOfMean;
  std::vector<Point> points;
  for (std::size_t i = 0; i < steps; i += every) {
    points.push_back({across_of(*facts.view, i), curve_down(axis, facts.mean[i])});
  }
  if ((steps - 1) % every != 0) points.push_back({1, curve_down(axis, facts.mean.back())});
  return polyline(points);
}

/// Round steps below both plots; the last has its own label.
Html step_labels(const TrainingView& view, int y) {
  const auto first = static_cast<double>(view.log.front().step + 1);
  const auto last = static_cast<double>(view.log.back().step + 1);
  Html labels = svg_text(0, y, "", Html::text(count(view.log.front().step + 1)));
  for (const double step : round_ticks({first, last}, 5)) {
    const double x = (step - first) / (last - first);
    if (std::abs(step - std::round(step)) > 1e-6 || x < 0.1 || x > 0.88) continue;
    labels +=
        svg_text(x, y, x > 0.78 ? "m wide" : "m", Html::text(count(static_cast<std::int64_t>(std::llround(step)))));
  }
  return labels + svg_text(1, y, "e", Html::text(count(view.log.back().step + 1)));
}

/// With as few digits as show it.
std::string unsigned_tick(double value) {
  const std::string label = tick_label(value);
  return label.starts_with('+') ? label.substr(1) : label;
}

Html rate_chart(FigureNumbers& numbers, const TrainingView& view) {
  double highest = 0;
  for (const TrainingStep& step : view.log) highest = std::max(highest, step.rate);
  if (highest <= 0) return {};
  const std::size_t every = 1 + (view.log.size() - 1) / kPointsOfMean;
  std::vector<Point> points;
  for (std::size_t i = 0; i < view.log.size(); i += every) {
    points.push_back({across_of(view, i), kRateHeight * (1 - view.log[i].rate / highest)});
  }
  if ((view.log.size() - 1) % every != 0) points.push_back({1, kRateHeight * (1 - view.log.back().rate / highest)});
  const Html paths = html(
      "<path class=\"gr\" d=\"M0 0H1000\"/><path class=\"ax\" d=\"M0 {}H1000\"/><path class=\"z\" "
      "style=\"stroke-width:1.5\" d=\"{}\"/>",
      kRateHeight, polyline(points));
  const Html labels = svg_text(0, kRateHeight + 4, "e", Html::text("0"), -8) + step_labels(view, kRateHeight + 17) +
                      svg_text(1, kRateHeight + 36, "e", Html::text("step"));
  return html("<h3 style=\"margin-top:18px\">Learning rate, up to {}</h3>\n<div class=\"pl\">{}</div>\n",
              unsigned_tick(highest),
              svg_figure(numbers, kRateHeight + 42, "Learning rate by step",
                         "At most " + significant(highest) + ", at the end " + significant(view.log.back().rate) + ".",
                         path_layer(kRateHeight, paths) + labels));
}

Html log_table(const TrainingFacts& facts) {
  const TrainingView& view = *facts.view;
  const std::size_t steps = view.log.size();
  const std::size_t rows_wanted = std::min(kTableRows, steps);
  TableRows rows;
  for (std::size_t row = 0; row < rows_wanted; ++row) {
    const std::size_t i = rows_wanted == 1 ? 0 : row * (steps - 1) / (rows_wanted - 1);
    rows.push_back({Html::text(count(view.log[i].step + 1)), Html::text(fixed(view.log[i].epoch, 2)),
                    Html::text(significant(view.log[i].loss)), Html::text(significant(facts.mean[i])),
                    Html::text(significant(view.log[i].rate))});
  }
  return table_details(
      steps > kTableRows ? "some of the steps; log.jsonl holds all" : "the steps",
      {{"Step", true}, {"Epoch", true}, {"Loss, " + view.unit, true}, {"Running mean", true}, {"Learning rate", true}},
      rows);
}

}  // namespace

Html loss_curve(FigureNumbers& numbers, const TrainingFacts& facts) {
  const TrainingView& view = *facts.view;
  if (view.log.size() < 2) return {};
  const AmountAxis axis = curve_axis(facts);
  std::string grid;
  Html labels;
  for (const AmountAxis::Tick& tick : axis.ticks(5)) {
    const double y = curve_down(axis, tick.value);
    grid += "M0 " + pixels(y) + "H1000";
    labels += svg_text(0, y + 4, "e", Html::text(tick.label), -8);
  }
  // The ends of the curve carry their numbers, as the headline says them.
  const double end = curve_down(axis, facts.last());
  labels += svg_dot(1, end, 4.5, "ink") +
            svg_text(1, end > kCurveHeight - 34 ? end - 14 : end + 24, "e b h", Html::text(significant(facts.last())));
  const double begin = curve_down(axis, facts.first());
  labels += svg_dot(0, begin, 4.5, "ink") +
            svg_text(0, begin < 16 ? begin + 5 : begin + 4, "b h", Html::text(significant(facts.first())), 12);
  labels += step_labels(view, kCurveHeight + 17) + svg_text(1, kCurveHeight + 36, "e", Html::text("step"));
  const std::string pale = view.log.size() > kMostDrawnSteps ? "stroke:var(--s3)" : "stroke:var(--s4)";
  const Html paths = html(
      "<path class=\"gr\" d=\"{}\"/><path class=\"ax\" d=\"M0 {}H1000\"/><g class=\"dots\"><path style=\"{};"
      "stroke-width:{}\" d=\"{}\"/></g><path class=\"z\" style=\"stroke-width:2.5;stroke-linejoin:round\" d=\"{}\"/>",
      grid.empty() ? "M0 0" : grid, kCurveHeight, pale, view.log.size() > kMostDrawnSteps ? "1" : "3px",
      pale_path(view, axis), mean_path(facts, axis));
  const std::string description = "From " + significant(facts.first()) + " at the first step to a running mean of " +
                                  significant(facts.last()) + " " + view.unit + " after " +
                                  counted_in_digits(view.log.back().step + 1, {"step", "steps"}) + ".";
  const Html curve =
      svg_figure(numbers, kCurveHeight + 42, "Loss by step", description, path_layer(kCurveHeight, paths) + labels);
  const Html rate = rate_chart(numbers, view);  // after the curve: figures are numbered in reading order
  return html("<figure><h3>Loss, {}{}</h3><div class=\"pl\">{}</div>\n{}{}</figure>\n", view.unit,
              axis.is_by_factors() ? " (log scale)" : "", curve, rate, log_table(facts));
}

}  // namespace assay::report
