#include "assay/report/loss_histogram.h"

#include <algorithm>
#include <cmath>

#include "assay/report/amount_axis.h"
#include "assay/report/numbers.h"
#include "assay/report/svg.h"
#include "assay/report/table_details.h"

namespace assay::report {
namespace {

constexpr int kPlotHeight = 190;
constexpr int kWordsAbove = 24;  // room for what stands beside the line
constexpr double kBinsPerRoot = 3.2;
constexpr double kManyFactors = 8;

AmountAxis axis_of(const EvaluationFacts& facts) {
  const double low = facts.sorted.front();
  const double high = facts.sorted.back();
  return high > kManyFactors * facts.quantile(0.05) ? AmountAxis::by_factors(low, high) : AmountAxis::even(low, high);
}

/// Examples by bin; more bins for more examples, by the cube root of their number.
std::vector<int> loss_bins(const EvaluationFacts& facts, const AmountAxis& axis) {
  const double wanted = kBinsPerRoot * std::cbrt(static_cast<double>(facts.sorted.size()));
  std::vector<int> bins(static_cast<std::size_t>(std::clamp(std::ceil(wanted), 12.0, 60.0)), 0);
  for (const double value : facts.sorted) {
    const auto bin = static_cast<std::size_t>(axis(value) * static_cast<double>(bins.size()));
    ++bins[std::min(bin, bins.size() - 1)];
  }
  return bins;
}

double bar_top(double examples, int tallest) {
  return kPlotHeight - (kPlotHeight - kWordsAbove) * examples / tallest;
}

Html loss_bars(const std::vector<int>& bins, int tallest) {
  constexpr double kBarShare = 0.86;  // of a bin's width
  const double width = 1 / static_cast<double>(bins.size());
  Html bars;
  for (std::size_t bin = 0; bin < bins.size(); ++bin) {
    if (bins[bin] == 0) continue;
    const double top = bar_top(bins[bin], tallest);
    bars += html("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" style=\"fill:var(--s5)\"/>",
                 across((static_cast<double>(bin) + (1 - kBarShare) / 2) * width), pixels(top),
                 across(kBarShare * width), pixels(kPlotHeight - top));
  }
  return bars;
}

/// Whole numbers of examples on the upright axis, three at most.
Html count_labels(int tallest, std::string& grid) {
  Html labels;
  for (const double tick : round_ticks({0, static_cast<double>(tallest)}, 3)) {
    if (tick != std::round(tick)) continue;
    const double y = bar_top(tick, tallest);
    if (tick > 0) grid += "M0 " + pixels(y) + "H1000";
    labels += svg_text(0, y + 4, "e", Html::text(fixed(tick, 0)), -8);
  }
  return labels;
}

/// The shown examples as dots on the ground, with the name of their group at its outer end.
struct ShownGroup {
  std::string path;
  Html label;
  double outer = 0;  // where the label stands
};

ShownGroup shown_group(const EvaluationFacts& facts, const std::vector<EvaluatedExample>& shown, const AmountAxis& axis,
                       const std::string& name) {
  ShownGroup out;
  double low = 1;
  double high = 0;
  for (const EvaluatedExample& example : shown) {
    const double value = facts.per_target[static_cast<std::size_t>(example.index)];
    if (!std::isfinite(value)) continue;
    const double x = axis(value);
    out.path += "M" + thousandths(x) + " " + std::to_string(kPlotHeight) + "h0";
    low = std::min(low, x);
    high = std::max(high, x);
  }
  if (out.path.empty()) return out;
  const bool is_left = low + high < 1;
  out.outer = is_left ? low : high;
  out.label = svg_text(out.outer, kPlotHeight + 17, is_left ? "b" : "e b", Html::text(name));
  return out;
}

Html loss_table(const EvaluationFacts& facts) {
  std::vector<Column> columns = {{"Quantile", false}};
  std::vector<Html> row = {Html::text(facts.unit_a_target())};
  const int decimals = std::min(6, decimals_for(facts.sorted.back()) + 1);
  for (const double share : {0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0}) {
    columns.push_back({percent(share), true});
    row.push_back(Html::text(fixed(facts.quantile(share), decimals)));
  }
  return table_details("quantiles of the losses", columns, {row});
}

std::string description_of(const EvaluationFacts& facts) {
  return "From " + significant(facts.sorted.front()) + " to " + significant(facts.sorted.back()) + " " +
         facts.unit_a_target() + "; half of the " + facts.view->noun.many + " lie between " +
         significant(facts.quantile(0.25)) + " and " + significant(facts.quantile(0.75)) + ".";
}

}  // namespace

Html loss_histogram(FigureNumbers& numbers, const EvaluationFacts& facts) {
  if (facts.sorted.empty()) return {};
  const EvaluationView& view = *facts.view;
  const AmountAxis axis = axis_of(facts);
  const std::vector<int> bins = loss_bins(facts, axis);
  const int tallest = *std::max_element(bins.begin(), bins.end());
  std::string grid;
  Html labels = count_labels(tallest, grid);
  for (const AmountAxis::Tick& tick : axis.ticks(6)) {
    labels += svg_text(axis(tick.value), kPlotHeight + 36, "m", Html::text(tick.label));
  }
  const ShownGroup hardest = shown_group(facts, view.worst, axis, "hardest");
  const ShownGroup easiest = shown_group(facts, view.best, axis, "easiest");
  constexpr double kRoomForBoth = 0.4;  // of the width, on a telephone, too
  if (hardest.outer - easiest.outer > kRoomForBoth) labels += hardest.label + easiest.label;
  Html line;
  if (std::isfinite(view.loss_per_target)) {
    const double x = axis(view.loss_per_target);
    line = html("<path class=\"z\" d=\"M{} 0V{}\"/>", thousandths(x), kPlotHeight);
    labels += svg_text(x, 11, x > 0.6 ? "e b h" : "b h", html("all together {}", significant(view.loss_per_target)),
                       x > 0.6 ? -8 : 8);
  }
  labels += svg_text(
      1, kPlotHeight + 56, "e",
      html("loss, {}{}; up: {}", facts.unit_a_target(), axis.is_by_factors() ? " (log scale)" : "", view.noun.many));

  const std::string dots = hardest.path + easiest.path;
  const Html ground = path_layer(kPlotHeight, html("<path class=\"gr\" d=\"{}\"/>", grid.empty() ? "M0 0" : grid));
  const Html marks =
      path_layer(kPlotHeight, html("<path class=\"ax\" d=\"M0 {}H1000\"/>{}<g class=\"dots\"><path class=\"z big\" "
                                   "d=\"{}\"/></g>",
                                   kPlotHeight, line, dots.empty() ? "M0 0" : dots));
  return html("<figure><div class=\"pl\">{}</div>\n{}</figure>\n",
              svg_figure(numbers, kPlotHeight + 62,
                         "Losses of " + count(std::ssize(facts.sorted)) + " " +
                             (facts.sorted.size() == 1 ? view.noun.one : view.noun.many),
                         description_of(facts), ground + loss_bars(bins, tallest) + marks + labels),
              loss_table(facts));
}

}  // namespace assay::report
