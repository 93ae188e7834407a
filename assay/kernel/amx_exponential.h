// 2^x on the sixteen lanes of AVX-512, beside the matrix unit: the whole part goes to the exponent in one instruction,
// of the rest a polynomial. Within 2e-7 of the true one, relative, also where it overflows to infinity or underflows to
// zero, so that nothing is bounded first. A NaN stays one.
#pragma once

#include "assay/core/twin.h"
#include "assay/kernel/amx_tiles.h"

#if defined(__x86_64__)
namespace assay::kernel {

constexpr float kLog2E = 1.44269504088896340736F;

ASSAY_AMX ASSAY_INLINE __m512 power_of_two(__m512 x) {
  constexpr int kLessTheFloor = 0x09;  // no exceptions
  const __m512 r = _mm512_reduce_ps(x, kLessTheFloor);
  // Fitted to the relative error on [0, 1): 7.5e-8.
  const float fifth = ASSAY_TWIN("kernel.power_of_two_of_degree_four") ? 0 : 1.8775766706e-3F;
  __m512 series = _mm512_fmadd_ps(r, _mm512_set1_ps(fifth), _mm512_set1_ps(8.9893403398e-3F));
  series = _mm512_fmadd_ps(series, r, _mm512_set1_ps(5.5826317588e-2F));
  series = _mm512_fmadd_ps(series, r, _mm512_set1_ps(0.24015361733F));
  series = _mm512_fmadd_ps(series, r, _mm512_set1_ps(0.69315307314F));
  series = _mm512_fmadd_ps(series, r, _mm512_set1_ps(0.99999992507F));
  return _mm512_scalef_ps(series, x);
}

}  // namespace assay::kernel
#endif
