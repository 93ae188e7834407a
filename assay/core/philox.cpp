#include "assay/core/philox.h"

#include <cmath>
#include <numbers>

namespace assay {

double random_normal(uint64_t seed, uint64_t stream, uint64_t index) {
  const auto w = philox4x32(seed, stream, index);
  const double u = (static_cast<double>((uint64_t{w[1]} << 32 | w[0]) >> 11) + 1.0) * 0x1.0p-53;  // (0, 1]
  const double v = static_cast<double>((uint64_t{w[3]} << 32 | w[2]) >> 11) * 0x1.0p-53;
  return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
}

}  // namespace assay
