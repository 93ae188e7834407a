#include "assay/report/share_curve.h"

#include <algorithm>
#include <cmath>

#include "assay/report/numbers.h"
#include "assay/report/svg.h"
#include "assay/report/table_details.h"

namespace assay::report {
namespace {

constexpr int kHeight = 190;
constexpr double kPointsPerCurve = 60;

double down(double share) {
  return kHeight * (1 - share);
}

/// 1, 2, 3, … where they are far apart, then evenly on the logarithmic axis, up to `last`.
std::vector<std::int64_t> counts_to_draw(std::int64_t last) {
  std::vector<std::int64_t> out;
  const double factor = std::exp(std::log(static_cast<double>(last)) / kPointsPerCurve);
  for (double n = 1; n < static_cast<double>(last); n = std::max(n + 1, n * factor)) {
    out.push_back(static_cast<std::int64_t>(n));
  }
  out.push_back(last);
  return out;
}

/// 1, 2, 5, 10, … below `last`.
std::vector<std::int64_t> round_counts(std::int64_t last) {
  std::vector<std::int64_t> out;
  for (std::int64_t power = 1; power < last; power *= 10) {
    for (const std::int64_t n : {power, 2 * power, 5 * power}) {
      if (n < last) out.push_back(n);
    }
  }
  return out;
}

bool is_power_of_ten(std::int64_t n) {
  while (n % 10 == 0) n /= 10;
  return n == 1;
}

}  // namespace

Html share_curve(FigureNumbers& numbers, const Support& support, const Noun& noun) {
  const std::int64_t last = support.supporters();
  if (last < 2) return {};
  std::vector<double> carried(static_cast<std::size_t>(last) + 1, 0.0);
  for (std::size_t n = 1; n < carried.size(); ++n) {
    carried[n] = carried[n - 1] + support.supporting[n - 1] / support.support_total;
  }
  const auto share = [&](std::int64_t n) { return std::min(1.0, carried[static_cast<std::size_t>(n)]); };
  const auto x = [&](std::int64_t n) { return std::log(static_cast<double>(n)) / std::log(static_cast<double>(last)); };

  std::vector<Point> curve;
  std::vector<Point> equal;
  for (const std::int64_t n : counts_to_draw(last)) {
    curve.push_back({x(n), down(share(n))});
    equal.push_back({x(n), down(static_cast<double>(n) / static_cast<double>(last))});
  }
  const std::int64_t k = support.half;
  const Html paths = html(
      "<path class=\"gr\" d=\"M0 142.5H1000M0 95H1000M0 47.5H1000M0 0H1000\"/><path class=\"ax\" d=\"M0 190H1000\"/>"
      "<path class=\"gd\" d=\"{}\"/><path class=\"sp\" style=\"stroke-width:2.5\" d=\"{}\"/>"
      "<path class=\"z\" style=\"stroke-width:1\" d=\"M{} {}V{}H0\"/>",
      polyline(equal), polyline(curve), thousandths(x(k)), kHeight, pixels(down(share(k))));
  Html labels = svg_dot(x(k), down(share(k)), 5, "pos");
  for (const int level : {0, 25, 50, 75, 100}) {
    labels += svg_text(0, down(level / 100.0) + 4, level == 50 ? "e b" : "e",
                       html("{}{}", level, level == 100 ? " %" : ""), -8);
  }
  // The marked k keeps its place on the axis; round counts give way to it and to the ends.
  for (const std::int64_t n : round_counts(last)) {
    if (n == k || std::abs(x(n) - x(k)) < 0.05 || x(n) > 0.93) continue;
    const bool has_room = is_power_of_ten(n) && std::abs(x(n) - x(k)) > 0.12;  // on a telephone, too
    labels += svg_text(x(n), kHeight + 17, has_room ? "m" : "m wide", Html::text(count(n)));
  }
  labels += svg_text(1, kHeight + 17, "e", Html::text(count(last)));
  if (x(k) < 0.93) labels += svg_text(x(k), kHeight + 17, "m b", Html::text(count(k)));
  const bool is_right = x(k) > 0.6;
  labels +=
      svg_text(x(k), down(share(k)) + 18, is_right ? "e pt h" : "pt h",
               html("{} {}, {}", count(k), k == 1 ? noun.one : noun.many, percent(share(k))), is_right ? -14 : 14);
  if (last > 140 && std::abs(x(100) - x(k)) > 0.12) {
    labels += svg_dot(x(100), down(share(100)), 3.5, "pos") +
              svg_text(x(100), down(share(100)) - 7, "e pt h", html("100 {}, {}", noun.many, percent(share(100))), -14);
  }
  labels +=
      svg_text(0.75, down(std::pow(static_cast<double>(last), -0.25)) + 22, "wide h", Html::text("if all were equal")) +
      svg_text(1, kHeight + 36, "e", html("supporting {}, strongest first (log scale)", noun.many));

  TableRows rows;
  std::vector<std::int64_t> listed = round_counts(last);
  listed.push_back(k);
  listed.push_back(last);
  std::sort(listed.begin(), listed.end());
  listed.erase(std::unique(listed.begin(), listed.end()), listed.end());
  for (const std::int64_t n : listed) rows.push_back({Html::text(count(n)), Html::text(percent(share(n), 1))});
  const std::string description = "The strongest " + count(k) + " of " + count(last) + " supporting " + noun.many +
                                  " carry " + percent(share(k)) + " of all support.";
  return html(
      "<figure><h3>Share of the support carried by the strongest {}</h3><div class=\"plr\">{}</div>\n{}</figure>\n",
      noun.many,
      svg_figure(numbers, kHeight + 42, "Cumulative share of support", description,
                 path_layer(kHeight, paths) + labels),
      table_details("cumulative share", {{capitalised(noun.many), true}, {"Share of support", true}}, rows));
}

}  // namespace assay::report
