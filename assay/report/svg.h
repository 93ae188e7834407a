// Percent across, pixels down: the outer <svg> has no viewBox, so that text keeps its size at every width; x is in
// percent, y in pixels. Paths cannot use percent: they go into a nested layer of 1000 units across that is stretched,
// with strokes that are not. At most one decimal in paths and two in percent.
#pragma once

#include <string>
#include <vector>

#include "assay/report/html.h"
#include "assay/report/page.h"

namespace assay::report {

/// 0.3752 → "37.52%".
Html across(double share);
/// 0.3752 → "375.2": x of a path in the nested layer.
std::string thousandths(double share);
/// A length in pixels with at most one decimal.
std::string pixels(double y);

/// A linear or otherwise transformed axis ends as this: values to shares of the width.
struct LinearAxis {
  double low = 0;
  double high = 1;
  double operator()(double value) const { return (value - low) / (high - low); }
};

/// Round numbers (1, 2 or 5 times a power of ten) inside the axis, `wanted` at most, zero among them where it is
/// inside.
std::vector<double> round_ticks(const LinearAxis& axis, int wanted);

/// A polyline through (share of the width, pixels down).
struct Point {
  double x = 0;
  double y = 0;
};
std::string polyline(const std::vector<Point>& points);

/// The nested layer.
Html path_layer(int height, const Html& paths);

/// The outer element with its title (what it is) and description (what it shows, with the numbers).
Html svg_figure(FigureNumbers& numbers, int height, const std::string& title, const std::string& description,
                const Html& content);

/// <text> at a share of the width. `classes` are those of the style sheet: "e" ends there, "m" is centred, "h" has a
/// halo, "b" bold, "pt" supports, "nt" opposes, "wide" disappears on telephones. dx moves it by pixels.
Html svg_text(double x, double y, const std::string& classes, const Html& content, int dx = 0);

/// What was measured: a filled dot. What was predicted: a ring. `fill` is a custom property of the style sheet.
Html svg_dot(double x, double y, double radius, const std::string& fill);
Html svg_ring(double x, double y, double radius, const std::string& stroke);

}  // namespace assay::report
