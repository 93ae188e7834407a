#include "assay/report/change_scatter.h"

#include <algorithm>
#include <cmath>

#include "assay/report/demo_sentences.h"
#include "assay/report/numbers.h"
#include "assay/report/svg.h"
#include "assay/report/table_details.h"

namespace assay::report {
namespace {

constexpr int kHeight = 200;

/// Both axes hold zero and everything there is; each has its own scale.
LinearAxis axis_around(const std::vector<double>& values) {
  double low = 0;
  double high = 0;
  for (const double value : values) {
    low = std::min(low, finite(value, "a change"));
    high = std::max(high, value);
  }
  const double span = high > low ? high - low : 1;
  return {low - 0.06 * span, high + 0.06 * span};
}

}  // namespace

Html change_scatter(FigureNumbers& numbers, const DemoGroup& group) {
  if (group.changes.empty()) return {};
  std::vector<double> predicted;
  std::vector<double> actual;
  for (const PredictedChange& change : group.changes) {
    predicted.push_back(change.predicted_nats);
    actual.push_back(change.actual_nats);
  }
  const LinearAxis across_axis = axis_around(predicted);
  const LinearAxis up_axis = axis_around(actual);
  const auto down = [&](double value) { return kHeight * (1 - up_axis(value)); };

  std::string grid;
  Html labels;
  for (const double tick : round_ticks(up_axis, 4)) {
    if (tick != 0) grid += "M0 " + pixels(down(tick)) + "H1000";
    labels += svg_text(0, down(tick) + 4, "e", Html::text(tick_label(tick)), -8);
  }
  for (const double tick : round_ticks(across_axis, 3)) {
    labels += svg_text(across_axis(tick), kHeight + 18, "m", Html::text(tick_label(tick)));
  }
  labels += svg_text(1, kHeight + 36, "e", Html::text("predicted change, nats"));
  std::string dots;
  for (std::size_t i = 0; i < predicted.size(); ++i) {
    dots += "M" + thousandths(across_axis(predicted[i])) + " " + pixels(down(actual[i])) + "h0";
  }
  // The line of equal change, inside both axes.
  const double low = std::max(across_axis.low, up_axis.low);
  const double high = std::min(across_axis.high, up_axis.high);
  const std::string equal =
      low < high ? polyline({{across_axis(low), down(low)}, {across_axis(high), down(high)}}) : std::string("M0 0");
  const Html paths = html(
      "<path class=\"gr\" d=\"M0 0{}\"/><path class=\"z\" d=\"M0 {}H1000M{} 0V{}\"/><path class=\"gd\" d=\"{}\"/>"
      "<g class=\"dots\"><path class=\"{}\" style=\"stroke-width:6px;stroke-opacity:.75\" d=\"{}\"/></g>",
      grid, pixels(down(0)), thousandths(across_axis(0)), kHeight, equal, "sp", dots);

  TableRows rows;
  for (const PredictedChange& change : group.changes) {
    rows.push_back({html("{}", rows.size() + 1), Html::text(signed_significant(change.predicted_nats)),
                    Html::text(signed_significant(change.actual_nats))});
  }
  return html(
      "<div><h3>{}</h3><p class=\"cap\" style=\"margin:0 0 14px\">{}</p><figure><div "
      "class=\"plr\">{}</div>\n{}</figure></div>",
      groups_name(group.kind), scatter_sentence(group),
      svg_figure(numbers, kHeight + 42, groups_name(group.kind) + ": predicted and actual change",
                 scatter_sentence(group), path_layer(kHeight, paths) + labels),
      table_details("changes", {{"Question", true}, {"Predicted, nats", true}, {"Actual, nats", true}}, rows));
}

}  // namespace assay::report
