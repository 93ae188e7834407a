// The closed <details> under every figure: the same data as a table, for readers without the picture and for copying.
#pragma once

#include <string>
#include <vector>

#include "assay/report/html.h"

namespace assay::report {

struct Column {
  std::string title;
  bool is_number = false;
};

using TableRows = std::vector<std::vector<Html>>;

/// A plain table; the first column holds row headings.
Html table(const std::vector<Column>& columns, const TableRows& rows);

Html table_details(const std::string& label, const std::vector<Column>& columns, const TableRows& rows);

}  // namespace assay::report
