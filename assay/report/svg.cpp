#include "assay/report/svg.h"

#include <algorithm>
#include <cmath>

#include "assay/report/numbers.h"

namespace assay::report {
namespace {

/// Plain ASCII digits, as SVG wants them, without trailing zeros.
std::string coordinate(double value, int decimals) {
  std::string text = fmt::format("{:.{}f}", finite(value, "a coordinate"), decimals);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

}  // namespace

Html across(double share) {
  return Html::markup(coordinate(100 * share, 2) + "%");
}

std::string thousandths(double share) {
  return coordinate(1000 * share, 1);
}

std::string pixels(double y) {
  return coordinate(y, 1);
}

std::vector<double> round_ticks(const LinearAxis& axis, int wanted) {
  const double span = axis.high - axis.low;
  double step = std::pow(10.0, std::floor(std::log10(span / wanted)));
  for (const double factor : {1.0, 2.0, 5.0, 10.0}) {
    if (span / (factor * step) <= wanted) {
      step *= factor;
      break;
    }
  }
  std::vector<double> ticks;
  for (double i = std::ceil(axis.low / step - 1e-9); i <= std::floor(axis.high / step + 1e-9); ++i)
    ticks.push_back(i * step);
  return ticks;
}

std::string polyline(const std::vector<Point>& points) {
  std::string out;
  for (const Point& point : points) {
    out += (out.empty() ? "M" : "L") + thousandths(point.x) + " " + pixels(point.y);
  }
  return out;
}

Html path_layer(int height, const Html& paths) {
  return html(
      "<svg viewBox=\"0 0 1000 {}\" preserveAspectRatio=\"none\" width=\"100%\" height=\"{}\" "
      "overflow=\"visible\">{}</svg>\n",
      height, height, paths);
}

Html svg_figure(FigureNumbers& numbers, int height, const std::string& title, const std::string& description,
                const Html& content) {
  const int id = numbers.next();
  return html(
      "<svg class=\"f\" height=\"{}\" role=\"img\" aria-labelledby=\"g{}t g{}d\"><title id=\"g{}t\">{}</title>"
      "<desc id=\"g{}d\">{}</desc>\n{}</svg>",
      height, id, id, id, title, id, description, content);
}

Html svg_text(double x, double y, const std::string& classes, const Html& content, int dx) {
  const Html shift = dx == 0 ? Html() : html(" dx=\"{}\"", dx);
  const Html style = classes.empty() ? Html() : html(" class=\"{}\"", classes);
  return html("<text{} x=\"{}\"{} y=\"{}\">{}</text>", style, across(x), shift, pixels(y), content);
}

Html svg_dot(double x, double y, double radius, const std::string& fill) {
  return html("<circle cx=\"{}\" cy=\"{}\" r=\"{}\" style=\"fill:var(--{})\"/>", across(x), pixels(y), pixels(radius),
              fill);
}

Html svg_ring(double x, double y, double radius, const std::string& stroke) {
  return html("<circle cx=\"{}\" cy=\"{}\" r=\"{}\" style=\"fill:var(--paper);stroke:var(--{});stroke-width:1.5\"/>",
              across(x), pixels(y), pixels(radius), stroke);
}

}  // namespace assay::report
