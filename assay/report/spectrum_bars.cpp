#include "assay/report/spectrum_bars.h"

#include <algorithm>
#include <cmath>

#include "assay/report/numbers.h"
#include "assay/report/svg.h"
#include "assay/report/table_details.h"

namespace assay::report {
namespace {

constexpr int kSpectrumHeight = 120;
constexpr int kSpectrumTop = 22;  // room for what stands beside the line

std::string power_of_ten(double exponent) {
  const std::string digits = std::to_string(static_cast<int>(std::abs(exponent)));
  std::string raised;
  for (const char digit : digits) {
    static constexpr const char* kRaised[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
    raised += kRaised[digit - '0'];
  }
  return exponent == 0 ? "1" : "10" + std::string(exponent < 0 ? "⁻" : "") + raised;
}

std::string spectrum_sentence(const CurvatureView& curvature) {
  const double below = static_cast<double>(curvature.below_damping) / static_cast<double>(curvature.total);
  std::string out = "Of " + count(curvature.total) + " directions, " + percent(below) +
                    " have less curvature than the damping: there a gradient counts by its size alone.";
  if (curvature.smallest_stable_rank > 0)
    out += " The input covariances have stable ranks of " + significant(curvature.smallest_stable_rank, 2) + " to " +
           significant(curvature.largest_stable_rank, 2) + ".";
  return out;
}

}  // namespace

Html spectrum_bars(FigureNumbers& numbers, const CurvatureView& curvature) {
  const std::int64_t tallest = *std::max_element(curvature.directions.begin(), curvature.directions.end());
  if (tallest == 0) return {};
  const auto bins = static_cast<double>(curvature.directions.size());
  const double damping = -curvature.low_decade / (curvature.decades_per_bin * bins);  // log10(Λ/λ) = 0, as a share
  std::string below;
  std::string above;
  TableRows rows;
  for (std::size_t bin = 0; bin < curvature.directions.size(); ++bin) {
    const std::int64_t directions = curvature.directions[bin];
    const double share = static_cast<double>(directions) / static_cast<double>(tallest);
    const double middle = (static_cast<double>(bin) + 0.5) / bins;
    if (directions > 0)
      (middle < damping ? below : above) += "M" + thousandths(middle) + " " + std::to_string(kSpectrumHeight) + "V" +
                                            pixels(kSpectrumHeight - share * (kSpectrumHeight - kSpectrumTop));
    const double low = curvature.low_decade + curvature.decades_per_bin * static_cast<double>(bin);
    rows.push_back({Html::text(fixed(low, 1) + " to " + fixed(low + curvature.decades_per_bin, 1)),
                    Html::text(count(directions))});
  }
  Html labels;
  for (double decade = curvature.low_decade; decade <= curvature.low_decade + curvature.decades_per_bin * bins;
       decade += 2) {
    const double x = (decade - curvature.low_decade) / (curvature.decades_per_bin * bins);
    labels += svg_text(x, kSpectrumHeight + 17, std::abs(std::remainder(decade, 4)) < 0.5 ? "m" : "m wide",
                       Html::text(power_of_ten(decade)));
  }
  labels += svg_text(damping, 12, "e", Html::text("the damping decides"), -8) +
            svg_text(damping, 12, "b", Html::text("the curvature decides"), 8) +
            svg_text(1, kSpectrumHeight + 36, "e", Html::text("eigenvalue over damping"));
  const Html bars = html(
      "<path class=\"ax\" style=\"stroke-width:3.2%;stroke-linecap:butt\" d=\"{}\"/><path class=\"z\" "
      "style=\"stroke-width:3.2%;stroke-linecap:butt\" d=\"{}\"/><path class=\"ax\" d=\"M0 {}H1000\"/>"
      "<path class=\"z\" d=\"M{} 0V{}\"/>",
      below.empty() ? "M0 0" : below, above.empty() ? "M0 0" : above, kSpectrumHeight, thousandths(damping),
      kSpectrumHeight);
  return html(
      "<h3 style=\"margin-top:32px\">What the curvature knows</h3>\n<figure><div class=\"plr\">{}</div>\n"
      "<p class=\"cap\">{}</p>{}</figure>\n",
      svg_figure(numbers, kSpectrumHeight + 42, "Eigenvalues of the curvature", spectrum_sentence(curvature),
                 path_layer(kSpectrumHeight, bars) + labels),
      spectrum_sentence(curvature),
      table_details("eigenvalues over damping", {{"Decades"}, {"Directions", true}}, rows));
}

}  // namespace assay::report
