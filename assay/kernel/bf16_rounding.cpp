#include "assay/kernel/bf16_rounding.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <cstdint>

#include "assay/core/twin.h"
#include "assay/kernel/amx_tiles.h"

namespace assay::kernel {
#if defined(__x86_64__)
namespace {

constexpr int64_t kRoundingGrain = 32 * 1024;

ASSAY_AMX void round_numbers(const float* from, int64_t count, uint16_t* to) {
  int64_t i = 0;
  for (; i + 32 <= count; i += 32) {
    const auto both = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + i + 16), _mm512_loadu_ps(from + i));
    _mm512_storeu_si512(to + i, reinterpret_cast<__m512i>(both));
  }
  for (; i < count; i += 16) {
    const auto some = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(first_lanes(count - i), from + i));
    _mm256_mask_storeu_epi16(to + i, first_lanes(count - i), reinterpret_cast<__m256i>(some));
  }
}

}  // namespace
#endif

at::Tensor to_bf16(const at::Tensor& given) {
  const at::Tensor x = given.detach();
#if defined(__x86_64__)
  const bool fits = has_amx() && x.is_cpu() && x.scalar_type() == at::kFloat && x.is_non_overlapping_and_dense();
  if (fits) {
    at::Tensor result = at::empty_like(x, x.options().dtype(at::kBFloat16));
    if (result.strides() == x.strides()) {
      const float* from = x.const_data_ptr<float>();
      auto* to = reinterpret_cast<uint16_t*>(result.mutable_data_ptr<at::BFloat16>());
      const int64_t last = ASSAY_TWIN("kernel.rounding_stops_early") ? x.numel() / 16 * 16 : x.numel();
      at::parallel_for(0, last, kRoundingGrain,
                       [&](int64_t begin, int64_t end) { round_numbers(from + begin, end - begin, to + begin); });
      return result;
    }
  }
#endif
  return x.to(at::kBFloat16);
}

}  // namespace assay::kernel
