#include "assay/attribute/stability.h"

#include <cmath>
#include <limits>

#include "assay/core/error.h"
#include "assay/core/philox.h"
#include "assay/core/twin.h"
#include "assay/math/correlation.h"

namespace assay::attribute {

Inputs with_other_labels(Inputs inputs) {
  if (!ASSAY_TWIN("attribute.same_labels_twice"))
    inputs.seed = random_bits(inputs.seed, stream_of("attribute.other labels"), 0);
  return inputs;
}

std::vector<double> label_stability(const FactoryCall& method, const Inputs& inputs, const Documents& documents,
                                    const at::Tensor& scores, curvature::Workspace& workspace, Progress& progress) {
  const Inputs other = with_other_labels(inputs);
  const at::Tensor again = make_scorer(method, other, progress)
                               ->score(documents, {}, workspace, progress)
                               .total.to(at::kDouble)
                               .contiguous();
  const at::Tensor first = scores.to(at::kDouble).contiguous();
  ASSAY_ASSERT(first.sizes() == again.sizes());
  const auto columns = static_cast<size_t>(first.size(1));
  const auto row = [&](const at::Tensor& values, size_t query) {
    return std::span(values.const_data_ptr<double>() + query * columns, columns);
  };
  std::vector<double> stability;
  for (size_t query = 0; query < static_cast<size_t>(first.size(0)); ++query)
    stability.push_back(math::spearman(row(first, query), row(again, query)));
  return stability;
}

double mean_stability(std::span<const double> of_queries) {
  double sum = 0, counted = 0;
  for (const double value : of_queries) {
    if (!std::isfinite(value)) continue;
    sum += value;
    counted += 1;
  }
  return counted > 0 ? sum / counted : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace assay::attribute
