// The one style sheet of all pages (light and dark, 390 to 1280 pixels and paper): one rule a line in the source,
// without comments and idle blanks on the page.
#pragma once

#include <string>
#include <string_view>

namespace assay::report {

/// Below 14 KB.
std::string style_sheet();

}  // namespace assay::report
