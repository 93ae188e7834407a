#include "assay/report/unit_bars.h"

#include <algorithm>

#include "assay/report/numbers.h"

namespace assay::report {
namespace {

/// Above this many documents the squares shrink and wrap.
constexpr std::size_t kLargeSquares = 10;

Html squares(const DemoRanking& ranking, bool is_ours, bool is_bottom) {
  const auto hits = std::count(ranking.hits.begin(), ranking.hits.end(), true);
  Html out;
  for (const bool hit : ranking.hits) {
    out += Html::markup(!hit ? "<i></i>" : is_bottom ? "<i class=z></i>" : "<i class=y></i>");
  }
  return html("<div class=\"u{}{}\" role=\"img\" aria-label=\"{} of {} planted\">{}</div>", is_ours ? " me_" : "",
              ranking.hits.size() > kLargeSquares ? " many" : "", hits, ranking.hits.size(), out);
}

}  // namespace

Html unit_bars(const std::vector<DemoRanking>& rankings, std::int64_t questions, bool is_bottom) {
  Html out = html("<div class=\"pk\"><p></p><p class=\"hd two\">this question</p><p class=\"hd\">mean of&nbsp;{}</p>\n",
                  questions);
  for (std::size_t i = 0; i < rankings.size(); ++i) {
    const DemoRanking& ranking = rankings[i];
    const auto hits = std::count(ranking.hits.begin(), ranking.hits.end(), true);
    out += html("<p{}>{}</p>{}<p class=\"num\">{}<small>/{}</small></p><p class=\"num all\">{}</p>\n",
                Html::markup(i == 0 ? " class=\"me\"" : ""), ranking.method, squares(ranking, i == 0, is_bottom), hits,
                ranking.hits.size(), fixed(ranking.group_precision, 2));
  }
  return out + Html::markup("</div>\n");
}

}  // namespace assay::report
