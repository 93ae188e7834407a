#include "assay/math/gaussian_matrix.h"

#include <ATen/ops/empty.h>

#include "assay/core/hash.h"
#include "assay/core/philox.h"

namespace assay::math {

at::Tensor gaussian_matrix(int64_t rows, int64_t columns, double deviation, uint64_t seed, std::string_view name) {
  at::Tensor matrix = at::empty({rows, columns}, at::kDouble);
  const uint64_t stream = hash64(name, stream_of("math.gaussian matrix"));
  double* out = matrix.data_ptr<double>();
  for (int64_t place = 0; place < rows * columns; ++place) {
    out[place] = deviation * random_normal(seed, stream, static_cast<uint64_t>(place));
  }
  return matrix;
}

}  // namespace assay::math
