#include "assay/report/heat_map.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "assay/core/error.h"
#include "assay/report/color_steps.h"
#include "assay/report/numbers.h"
#include "assay/report/table_details.h"

namespace assay::report {
namespace {

constexpr std::size_t kMostRows = 16;
constexpr double kTallestBar = 34;

struct Row {
  std::string name;            ///< "4" or "28–29"
  std::vector<double> shares;  ///< one a matrix
  double total() const { return std::accumulate(shares.begin(), shares.end(), 0.0); }
};

std::vector<Row> rows_of(const LayerShares& layers, std::size_t blocks_a_row) {
  std::vector<Row> rows;
  for (std::size_t first = 0; first < layers.shares.size(); first += blocks_a_row) {
    const std::size_t last = std::min(first + blocks_a_row, layers.shares.size()) - 1;
    Row row{first == last ? std::to_string(first) : fmt::format("{}–{}", first, last),
            std::vector<double>(layers.matrices.size(), 0.0)};
    for (std::size_t block = first; block <= last; ++block) {
      ASSAY_ASSERT(layers.shares[block].size() == layers.matrices.size());
      for (std::size_t m = 0; m < row.shares.size(); ++m)
        row.shares[m] += finite(layers.shares[block][m], "a layer's share");
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

/// Neighbouring matrices of one group share a heading and are set apart from the next group.
struct Group {
  std::string name;
  std::size_t begin = 0;
  std::size_t end = 0;
};

std::vector<Group> groups_of(const LayerShares& layers) {
  std::vector<Group> groups;
  for (std::size_t m = 0; m < layers.matrices.size(); ++m) {
    if (groups.empty() || groups.back().name != layers.matrices[m].group)
      groups.push_back({layers.matrices[m].group, m, m});
    groups.back().end = m + 1;
  }
  return groups;
}

Html gap(const std::string& cell) {
  return Html::markup("<" + cell + " class=\"gap\"></" + cell + ">");
}

Html heading(const LayerShares& layers, const std::vector<Group>& groups) {
  Html columns = Html::markup("<colgroup><col style=\"width:9%\">");
  Html names = Html::markup("<tr><td></td>");
  Html matrices = Html::markup("<tr><th scope=\"col\" style=\"text-align:right;padding-right:8px\">block</th>");
  for (const Group& group : groups) {
    columns += html("<col span=\"{}\"><col style=\"width:1.5%\">", group.end - group.begin);
    names += html("<th scope=\"colgroup\" colspan=\"{}\">{}</th>{}", group.end - group.begin, group.name, gap("td"));
    for (std::size_t m = group.begin; m < group.end; ++m)
      matrices += html("<th scope=\"col\">{}</th>", layers.matrices[m].name);
    matrices += gap("td");
  }
  columns += Html::markup("<col style=\"width:19%\"></colgroup>\n");
  matrices += Html::markup("<th scope=\"col\" style=\"text-align:left;padding-left:6px\">all, %</th></tr>");
  return columns + html("<thead>{}<td></td></tr>\n{}</thead>\n", names, matrices);
}

Html body_row(const Row& row, const std::vector<Group>& groups, double largest_total, bool has_numbers) {
  static const SignedSteps steps = SignedSteps::shares();
  Html cells;
  for (const Group& group : groups) {
    for (std::size_t m = group.begin; m < group.end; ++m) {
      const std::string css_class = steps.css_class(row.shares[m]);
      const std::string number = fixed(100 * row.shares[m], 1);
      const Html style = css_class.empty() ? Html() : html(" class={}", css_class);
      cells += has_numbers ? html("<td{}>{}</td>", style, number) : html("<td{} title=\"{} %\"></td>", style, number);
    }
    cells += gap("td");
  }
  const double width = largest_total > 0 ? 92 * std::max(0.0, row.total()) / largest_total : 0;
  return html("<tr><th scope=\"row\">{}</th>{}<td class=\"tot\">{}<i style=\"width:{}%\"></i></td></tr>\n", row.name,
              cells, fixed(100 * row.total(), 1), fixed(width, 0));
}

Html foot_row(const std::vector<Row>& rows, const std::vector<Group>& groups, std::size_t matrices) {
  std::vector<double> totals(matrices, 0.0);
  for (const Row& row : rows) {
    for (std::size_t m = 0; m < matrices; ++m) totals[m] += row.shares[m];
  }
  const double largest = std::max(1e-300, *std::max_element(totals.begin(), totals.end()));
  Html cells;
  for (const Group& group : groups) {
    for (std::size_t m = group.begin; m < group.end; ++m) {
      cells += html("<td>{}<i style=\"height:{}px\"></i></td>", fixed(100 * totals[m], 1),
                    fixed(kTallestBar * std::max(0.0, totals[m]) / largest, 0));
    }
    cells += gap("td");
  }
  return html("<tfoot><tr><th scope=\"row\">all</th>{}<td></td></tr></tfoot>", cells);
}

Html share_table(const std::vector<Row>& rows, const LayerShares& layers) {
  std::vector<Column> columns = {{"Block", false}};
  for (const auto& matrix : layers.matrices) columns.push_back({matrix.name + ", %", true});
  TableRows cells;
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
    std::vector<Html> line = {Html::text(row->name)};
    for (const double share : row->shares) line.push_back(Html::text(fixed(100 * share, 2)));
    cells.push_back(std::move(line));
  }
  return table_details("share of each matrix", columns, cells);
}

}  // namespace

Html heat_map(const LayerShares& layers) {
  if (layers.shares.empty() || layers.matrices.empty()) return {};
  const bool is_merged = layers.shares.size() > kMostRows;
  const std::size_t blocks_a_row = (layers.shares.size() + kMostRows - 1) / kMostRows;
  const std::vector<Row> rows = rows_of(layers, blocks_a_row);
  const std::vector<Group> groups = groups_of(layers);
  double largest_total = 0;
  for (const Row& row : rows) largest_total = std::max(largest_total, row.total());
  Html body;
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) body += body_row(*row, groups, largest_total, !is_merged);
  return html(
      "<figure><table class=\"hm{}\">{}<tbody>\n{}</tbody>{}</table>\n<p class=\"n\" style=\"margin:14px 0 0\">Blue "
      "supports, orange opposes; colour steps at 0.1, 1, 3 and 8 %.</p>\n{}</figure>\n",
      is_merged ? " dense" : "", heading(layers, groups), body, foot_row(rows, groups, layers.matrices.size()),
      share_table(is_merged ? rows_of(layers, 1) : rows, layers));
}

}  // namespace assay::report
