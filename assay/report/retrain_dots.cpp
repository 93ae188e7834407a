#include "assay/report/retrain_dots.h"

#include <algorithm>

#include "assay/report/demo_sentences.h"
#include "assay/report/numbers.h"
#include "assay/report/svg.h"
#include "assay/report/table_details.h"

namespace assay::report {
namespace {

constexpr int kHeadingStep = 26;
constexpr int kRowStep = 28;
constexpr int kGroupGap = 24;

std::string colour_of(TrainingSet set) {
  switch (set) {
    case TrainingSet::Everything: return "ink";
    case TrainingSet::WithoutRandom: return "ink3";
    case TrainingSet::WithoutTop: return "pos";
    case TrainingSet::WithoutBottom: return "neg";
  }
  return "ink";
}

/// One row: the range of the seeds, the dot, and the label on the side with more room.
struct Marks {
  Html paths;
  Html labels;
};

Marks marks_of(const DemoRetrained& row, double start, int y) {
  const double mean = finite(row.probability, "a probability");
  const std::string colour = colour_of(row.training_set);
  Marks out;
  const bool is_proof = row.training_set == TrainingSet::WithoutTop || row.training_set == TrainingSet::WithoutBottom;
  if (is_proof) out.paths += html("<path class=\"gd\" d=\"M{} {}H{}\"/>", thousandths(start), y, thousandths(mean));
  out.paths += html("<path d=\"M{} {}H{}\" style=\"stroke:var(--{});stroke-width:2.5\"/>",
                    thousandths(row.probability_low), y, thousandths(row.probability_high), colour);
  const bool is_left = mean > 0.5;
  const Html label = html("{}  <tspan class=\"b\">{}</tspan>", training_set_name(row), percent(mean));
  out.labels = svg_dot(mean, y, 5.5, colour) + svg_text(is_left ? row.probability_low : row.probability_high, y + 4,
                                                        is_left ? "e h" : "h", label, is_left ? -11 : 11);
  return out;
}

}  // namespace

Html retrain_dots(FigureNumbers& numbers, const std::vector<DemoGroup>& groups) {
  Html paths;
  Html labels;
  TableRows rows;
  std::string description;
  std::string separators;
  int y = 0;
  for (const DemoGroup& group : groups) {
    if (y > 0) separators += "M0 " + std::to_string(y) + "H1000";
    y += kHeadingStep;
    labels += svg_text(0, y, "b h",
                       html("{}: probability of <tspan style=\"font-family:var(--serif);font-style:italic;"
                            "font-weight:400;font-size:14px\">{}</tspan>",
                            group_name(group.kind), group.answer),
                       8);
    const double start = group.retrained.empty() ? 0 : group.retrained.front().probability;
    for (const DemoRetrained& row : group.retrained) {
      y += kRowStep;
      const Marks marks = marks_of(row, start, y);
      paths += marks.paths;
      labels += marks.labels;
      rows.push_back({Html::text(group_name(group.kind)), Html::text(training_set_name(row)),
                      Html::text(percent(row.probability)),
                      html("{} to {}", percent(row.probability_low), percent(row.probability_high))});
      description +=
          std::string(group_name(group.kind)) + ", " + training_set_name(row) + ": " + percent(row.probability) + ". ";
    }
    y += kGroupGap;
  }
  const int height = y;
  const Html grid =
      html("<path class=\"gr\" d=\"M250 0V{}M500 0V{}M750 0V{}M1000 0V{}{}\"/><path class=\"z\" d=\"M0 {}V{}\"/>",
           height, height, height, height, separators, kHeadingStep + 8, height);
  for (const int tick : {0, 25, 50, 75, 100}) {
    labels += svg_text(tick / 100.0, height + 18, "m", html("{}{}", tick, tick == 100 ? " %" : ""));
  }
  return html(
      "<figure><div class=\"plw\">{}</div>\n{}</figure>",
      svg_figure(numbers, height + 24, "Probability of the answer after training again", description,
                 path_layer(height, grid + paths) + labels),
      table_details("training again",
                    {{"Question"}, {"Training set"}, {"Probability", true}, {"Range of the seeds", true}}, rows));
}

}  // namespace assay::report
