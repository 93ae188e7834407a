#include "assay/report/table_details.h"

#include "assay/core/error.h"

namespace assay::report {

Html table(const std::vector<Column>& columns, const TableRows& rows) {
  const auto number = [&](std::size_t i) { return Html::markup(columns[i].is_number ? " class=\"num\"" : ""); };
  Html head;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    head += html("<th scope=\"col\"{}>{}</th>", number(i), columns[i].title);
  }
  Html body;
  for (const auto& row : rows) {
    ASSAY_ASSERT(row.size() == columns.size());
    body += Html::markup("<tr>");
    for (std::size_t i = 0; i < row.size(); ++i) body += html("<td{}>{}</td>", number(i), row[i]);
    body += Html::markup("</tr>\n");
  }
  return html("<table><thead><tr>{}</tr></thead><tbody>\n{}</tbody></table>", head, body);
}

Html table_details(const std::string& label, const std::vector<Column>& columns, const TableRows& rows) {
  return html("<details class=\"alt\"><summary>Table: {}</summary><div class=\"scroll\">{}</div></details>\n", label,
              table(columns, rows));
}

}  // namespace assay::report
