#include "assay/report/support_strip.h"

#include <algorithm>
#include <array>

#include "assay/report/svg.h"
#include "assay/report/table_details.h"

namespace assay::report {
namespace {

constexpr int kHeight = 60;
constexpr int kOpponentHeight = 26;
constexpr std::int64_t kNamedSlices = 60;  // more would be thinner than a pixel
constexpr std::int64_t kTableRows = 50;
constexpr std::int64_t kOpponentRows = 10;

/// White separators fade with the width of the slices that they separate, so that the tail does not turn white.
struct Fade {
  double narrowest;  ///< share of the width
  std::string_view opacity;
};
constexpr std::array<Fade, 5> kFades = {
    {{0.006, "1"}, {0.0045, ".75"}, {0.003, ".5"}, {0.0018, ".25"}, {0.0009, ".1"}}};

Html separators(const std::vector<double>& slices, double scale, int height) {
  Html out;
  double x = 0;
  std::size_t i = 0;
  for (const Fade& fade : kFades) {
    std::string path;
    for (; i + 1 < slices.size() && slices[i] / scale >= fade.narrowest; ++i) {
      x += slices[i] / scale;
      path += "M" + thousandths(x) + " 0v" + std::to_string(height);
    }
    if (!path.empty()) {
      out += html("<path d=\"{}\" style=\"stroke:var(--paper);stroke-opacity:{}\"/>", path, fade.opacity);
    }
  }
  return out;
}

Html slices(const Support& support, const ScoreUnit& unit, const Noun& noun, double scale, std::int64_t shown) {
  Html out;
  double x = 0;
  const std::int64_t named = std::min(support.half, kNamedSlices);
  for (std::int64_t rank = 0; rank < named; ++rank) {
    const auto at = static_cast<std::size_t>(rank);
    const double width = support.supporting[at] / scale;
    out += html(
        "<rect data-d=\"{}\" class=\"fP\" x=\"{}\" width=\"{}\" height=\"{}\"><title>{}. {} {}: {}, {} of all "
        "support</title></rect>",
        support.order[at], across(x), across(width), kHeight, rank + 1, noun.one, count(support.order[at]),
        unit.with_name(support.supporting[at]), percent(width * scale / support.support_total, 1));
    x += width;
  }
  const double half = support.share(support.half) * support.support_total / scale;
  const double all = support.support_total / scale;
  if (half > x)
    out += html("<rect class=\"fP\" x=\"{}\" width=\"{}\" height=\"{}\"/>", across(x), across(half - x), kHeight);
  if (all > half)
    out += html("<rect class=\"fp\" x=\"{}\" width=\"{}\" height=\"{}\"/>", across(half), across(all - half), kHeight);
  const Html edge = html("<path d=\"M{} -8v{}\" class=\"z\"/>", thousandths(half), kHeight + 16);
  out += path_layer(kHeight, separators(support.supporting, scale, kHeight) + edge);
  x = 0;
  for (std::int64_t rank = 0; rank < std::min(named, shown); ++rank) {
    const double width = support.supporting[static_cast<std::size_t>(rank)] / scale;
    const double needed = rank < 9 ? 0.014 : 0.018;
    if (width >= needed) {
      out += svg_text(x + width / 2, 35, width >= 0.046 ? "m sl" : "m sl wide", html("{}", rank + 1));
    }
    x += width;
  }
  return out;
}

Html labels(const Support& support, const ScoreUnit& unit, const Noun& noun, double scale, std::int64_t shown) {
  const std::int64_t rest = support.supporters() - support.half;
  const double share = support.share(support.half);
  const bool is_half = share < 0.52;
  const std::string carried = is_half ? "half the support" : percent(share) + " of the support";
  const std::string visible_slices = shown <= 0 ? ""
                                     : support.half == 1 || shown == 1
                                         ? "; slice 1 is shown below"
                                         : "; slices 1 to " + count(std::min(shown, support.half)) + " are shown below";
  const double boundary = std::clamp(share * support.support_total / scale, 0.34, 0.66);
  const Html left = html("<p><b class=\"pos\">{}: {}</b>One slice is one {}, widest first{}</p>",
                         capitalised(counted(support.half, noun)), carried, noun.one, visible_slices);
  const std::string others =
      rest == 0   ? "Nobody else supports it"
      : rest == 1 ? "The other supporter: the rest"
                  : "The other " + count(rest) + " supporters: " + (is_half ? "the other half" : "the rest");
  const Html right = html("<p><b>{}</b>All support adds up to {} {}</p>", others,
                          fixed(support.support_total * unit.factor, std::max(0, unit.decimals - 1)), unit.name);
  return html("<div class=\"lab\" style=\"grid-template-columns:{} 1fr\">{}{}</div>\n", across(boundary), left, right);
}

Html opponents(FigureNumbers& numbers, const Support& support, const ScoreUnit& unit, const Noun& noun, double scale) {
  const std::string total =
      fixed(support.opposition_total * unit.factor, std::max(0, unit.decimals - 1)) + " " + unit.name;
  const bool has_support = support.support_total > 0;
  const std::string relative =
      has_support ? ": " + percent(support.opposition_total / support.support_total) + " as much, on the same scale"
                  : "";
  const std::string who =
      capitalised(counted(support.opponents(), noun)) + (support.opponents() == 1 ? " pushes" : " push");
  const Html bar = html("<rect class=\"fn\" width=\"{}\" height=\"{}\"/>", across(support.opposition_total / scale),
                        kOpponentHeight) +
                   path_layer(kOpponentHeight, separators(support.opposing, scale, kOpponentHeight));
  return html(
      "<div style=\"height:14px\"></div>\n{}<p style=\"margin-top:6px;font-size:14px;line-height:1.35\"><b "
      "class=\"neg\">{} the other way</b>, together {}{}</p>\n",
      svg_figure(numbers, kOpponentHeight, "Opposition, on the same scale",
                 who + " the other way; together " + total + relative + ".", bar),
      who, total, relative);
}

/// The widest slices of one bar as a table.
Html slice_table(const std::string& label, const std::string& amount, const std::vector<std::int64_t>& documents,
                 const std::vector<double>& sizes, double sign, const ScoreUnit& unit, const Noun& noun, double total) {
  TableRows rows;
  double carried = 0;
  for (std::size_t i = 0; i < documents.size(); ++i) {
    carried += sizes[i];
    rows.push_back({html("{}", i + 1), Html::text(count(documents[i])), Html::text(unit.print(sign * sizes[i])),
                    Html::text(percent(sizes[i] / total, 1)), Html::text(percent(carried / total, 1))});
  }
  return table_details(label,
                       {{"Rank", true},
                        {capitalised(noun.one), true},
                        {amount + ", " + unit.name, true},
                        {"Share", true},
                        {"Cumulative", true}},
                       rows);
}

Html support_table(const Support& support, const ScoreUnit& unit, const Noun& noun) {
  const std::int64_t n = std::min(support.half, kTableRows);
  const std::string label = n == 1              ? "the widest slice"
                            : n == support.half ? "the " + count_in_words(n) + " slices"
                                                : "the first " + count(n) + " slices";
  return slice_table(label, "Support", {support.order.begin(), support.order.begin() + n}, support.supporting, +1, unit,
                     noun, support.support_total);
}

Html opposition_table(const Support& support, const ScoreUnit& unit, const Noun& noun) {
  const std::int64_t n = std::min(support.opponents(), kOpponentRows);
  const std::string label = n == 1 ? "the strongest against it" : "the " + count_in_words(n) + " strongest against it";
  return slice_table(label, "Opposition", {support.order.rbegin(), support.order.rbegin() + n}, support.opposing, -1,
                     unit, noun, support.opposition_total);
}

}  // namespace

Html support_strip(FigureNumbers& numbers, const Support& support, const ScoreUnit& unit, const Noun& noun,
                   std::int64_t shown) {
  const double scale = std::max(support.support_total, support.opposition_total);
  if (scale <= 0) return {};
  Html out = Html::markup("<figure class=\"strip\">\n");
  if (support.half > 0) {
    out += labels(support, unit, noun, scale, shown);
    out += svg_figure(numbers, kHeight, "All support, " + noun.one + " by " + noun.one,
                      "A bar of all positive scores, one slice a " + noun.one + ", largest first. The first " +
                          count(support.half) + " reach " + percent(support.share(support.half), 1) + " of " +
                          fixed(support.support_total * unit.factor, unit.decimals) + " " + unit.name +
                          (support.supporters() == support.half
                               ? "."
                               : "; the other " + count(support.supporters() - support.half) + " share the rest."),
                      slices(support, unit, noun, scale, shown));
  }
  if (support.opponents() > 0) out += opponents(numbers, support, unit, noun, scale);
  if (support.half > 0) out += support_table(support, unit, noun);
  if (support.opponents() > 0) out += opposition_table(support, unit, noun);
  return out + Html::markup("</figure>\n");
}

}  // namespace assay::report
