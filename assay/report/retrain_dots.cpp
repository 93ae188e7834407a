#include "assay/report/retrain_dots.h"

#include <algorithm>

#include "assay/report/demo_sentences.h"
#include "assay/report/numbers.h"
#include "assay/report/svg.h"
#include "assay/report/table_details.h"

namespace assay::report {
namespace {

constexpr int kHeadingStep = 26;
constexpr int kNameStep = 24;  // from the row above to a row's name
constexpr int kDotStep = 16;   // from a row's name down to its dot
constexpr int kGroupGap = 24;
constexpr double kRoomForNumber = 0.15;  // of the width of a telephone

std::string colour_of(TrainingSet set) {
  switch (set) {
    case TrainingSet::Everything: return "ink";
    case TrainingSet::WithoutRandom: return "ink3";
    case TrainingSet::WithoutTop: return "pos";
  }
  return "ink";
}

/// One row: its name at the left, where no number can push it over an edge; below it the range of the seeds, the dot,
/// and the number on a side that has room.
struct Marks {
  Html paths;
  Html labels;
};

Marks marks_of(const DemoRetrained& row, double start, int y) {
  const double mean = finite(row.probability, "a probability");
  const std::string colour = colour_of(row.training_set);
  const int line = y + kDotStep;
  Marks out;
  if (row.training_set == TrainingSet::WithoutTop)
    out.paths += html("<path class=\"gd\" d=\"M{} {}H{}\"/>", thousandths(start), line, thousandths(mean));
  out.paths += html("<path d=\"M{} {}H{}\" style=\"stroke:var(--{});stroke-width:2.5\"/>",
                    thousandths(row.probability_low), line, thousandths(row.probability_high), colour);
  const bool is_right = row.probability_high <= 1 - kRoomForNumber;
  out.labels = svg_text(0, y, "h", Html::text(training_set_name(row)), 8) + svg_dot(mean, line, 5.5, colour) +
               svg_text(is_right ? row.probability_high : row.probability_low, line + 4, is_right ? "b h" : "b e h",
                        Html::text(percent(mean)), is_right ? 11 : -11);
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
    y -= 2;  // a name stands closer to its heading than to the row above
    const double start = group.retrained.empty() ? 0 : group.retrained.front().probability;
    for (const DemoRetrained& row : group.retrained) {
      y += kNameStep;
      const Marks marks = marks_of(row, start, y);
      y += kDotStep;
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
