#include "assay/attribute/rescore.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <limits>
#include <set>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/math/correlation.h"
#include "assay/math/strongest.h"

namespace assay::attribute {
namespace {

std::vector<double> as_doubles(const at::Tensor& values) {
  const at::Tensor plain = values.to(at::kDouble).contiguous();
  return {plain.const_data_ptr<double>(), plain.const_data_ptr<double>() + plain.numel()};
}

RankingEnd end_of(const at::Tensor& exact, const std::vector<int64_t>& rows, int64_t kept, bool largest) {
  const int64_t queries = exact.size(0);
  RankingEnd end{at::empty({queries, kept}, at::kLong), at::empty({queries, kept}, at::kDouble)};
  for (int64_t q = 0; q < queries; ++q) {
    math::Strongest strongest(kept, largest);
    strongest.add<double>(as_doubles(exact[q]), 0);
    int64_t place = q * kept;
    for (const auto& entry : strongest.sorted()) {
      end.rows.data_ptr<int64_t>()[place] = rows[static_cast<size_t>(entry.place)];
      end.scores.data_ptr<double>()[place++] = entry.value;
    }
  }
  return end;
}

/// Σ x·y / Σ x²: y a unit of x. 0 where that is not positive.
double scale_between(const std::vector<double>& x, const std::vector<double>& y) {
  double product = 0, square = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    product += x[i] * y[i];
    square += x[i] * x[i];
  }
  return square > 0 ? std::max(0.0, product / square) : 0;
}

}  // namespace

std::vector<int64_t> rows_to_rescore(const ScanResult& scan, int64_t each_end) {
  std::set<int64_t> rows;
  for (const RankingEnd* end : {&scan.top, &scan.bottom}) {
    const int64_t kept = std::min(each_end, end->rows.size(1));
    const at::Tensor chosen = end->rows.narrow(1, 0, kept).contiguous();
    rows.insert(chosen.const_data_ptr<int64_t>(), chosen.const_data_ptr<int64_t>() + chosen.numel());
  }
  return {rows.begin(), rows.end()};
}

Rescored rescored(const ScanResult& scan, const std::vector<int64_t>& rows, const at::Tensor& exact) {
  const auto count = static_cast<int64_t>(rows.size());
  ASSAY_ASSERT(exact.size(1) == count);
  const int64_t kept = std::min(count, scan.top.rows.size(1));
  Rescored result{.whole = scan.whole.clone(),
                  .top = end_of(exact, rows, kept, true),
                  .bottom = end_of(exact, rows, kept, false),
                  .agreement = {},
                  .scale = {}};
  if (ASSAY_TWIN("attribute.rescored_in_the_order_of_the_index")) result.top = scan.top;
  const at::Tensor places = at::tensor(at::IntArrayRef(rows.data(), rows.size()), at::kLong);
  for (int64_t q = 0; q < result.whole.size(0); ++q) {
    at::Tensor scores = result.whole[q];
    const std::vector<double> estimated = as_doubles(scores.index_select(0, places)), known = as_doubles(exact[q]);
    result.agreement.push_back(math::spearman(estimated, known));
    result.scale.push_back(scale_between(estimated, known));
    scores.mul_(result.scale.back());
    scores.index_copy_(0, places, exact[q].to(scores.scalar_type()));
  }
  return result;
}

}  // namespace assay::attribute
