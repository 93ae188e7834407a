#include "assay/data/example_texts.h"

#include <numeric>

namespace assay::data {

void ExampleTexts::visit_all(const std::function<void(int64_t row, std::string_view text)>& visit) const {
  std::vector<int64_t> rows(static_cast<size_t>(size()));
  std::iota(rows.begin(), rows.end(), 0);
  this->visit(rows, visit);
}

}  // namespace assay::data
