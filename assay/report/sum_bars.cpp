#include "assay/report/sum_bars.h"

#include <algorithm>
#include <cmath>

#include "assay/report/numbers.h"
#include "assay/report/svg.h"
#include "assay/report/table_details.h"

namespace assay::report {
namespace {

constexpr std::size_t kLongestName = 120;  // bytes of a text that stands for a document

std::string shortened(const std::string& name) {
  if (name.size() <= kLongestName) return name;
  std::size_t end = kLongestName;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0U) == 0x80U) --end;  // never inside a character
  return name.substr(0, end) + " …";
}

Html sum_bar(double score, double zero, double span) {
  const double width = span > 0 ? std::abs(score) / span : 0;
  return html("<div class=\"bar\" aria-hidden=\"true\"><i class=\"{}\" style=\"left:{}%;width:{}%\"></i></div>",
              score < 0 ? "fn" : "fp", fixed(100 * (score < 0 ? zero - width : zero), 1), fixed(100 * width, 1));
}

}  // namespace

Html sum_bars(const SumView& view, double factor, const std::string& unit, const Noun& noun) {
  double low = 0, high = 0;
  for (const SumRow& row : view.rows) {
    low = std::min(low, finite(row.score, "a sum of scores"));
    high = std::max(high, row.score);
  }
  const double span = high - low, zero = span > 0 ? -low / span : 0;
  TableRows rows;
  for (const SumRow& row : view.rows) {
    const double value = row.score * factor;
    const std::string sign = value > 0 ? "pos" : value < 0 ? "neg" : "";
    rows.push_back({Html::text(shortened(row.name)),
                    Html::text(view.is_groups ? count(row.documents) : labelled(row.label, row.index)),
                    html("<span class=\"{}\">{}</span>", sign, signed_significant(value)),
                    sum_bar(row.score, zero, span)});
  }
  const std::vector<Column> columns = {{view.is_groups ? "Group" : capitalised(noun.one)},
                                       {view.is_groups ? capitalised(noun.many) : "Number", true},
                                       {"Sum, " + unit, true},
                                       {""}};
  return html("<h3 class=\"big\">{}</h3>\n<div class=\"scroll sums\" style=\"--z:{}\">{}</div>\n", view.title,
              across(zero), table(columns, rows));
}

}  // namespace assay::report
