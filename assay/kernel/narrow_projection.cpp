#include "assay/kernel/narrow_projection.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/kernel/lanes.h"

// Loops over sums are unrolled: an index that varies would keep the sums out of the registers.
#ifdef __clang__
#define ASSAY_PROJECTION_UNROLL _Pragma("clang loop unroll(full)")
#else
#define ASSAY_PROJECTION_UNROLL _Pragma("GCC unroll 16")
#endif

namespace assay::kernel {
namespace {

using ProjectedRow = Lanes<float, 64>;  // sixteen numbers, in as many registers as that takes

// Rows that are projected together, and outputs that are summed together: as many sums as the registers hold.
template <int kBytes>
constexpr int kSumsHeld = kBytes == 64   ? 12
                          : kBytes == 32 ? 4
                                         : 2;

struct NarrowProjection {
  template <int kRows>
  static ASSAY_INLINE void rows(const float* x, int64_t stride, int64_t columns, const float* p, float* out) {
    ProjectedRow sums[kRows];
    ProjectedRow side;
    for (int64_t k = 0; k < columns; ++k) {
      side.load(p + k * kNarrowRank, kNarrowRank);
      ASSAY_PROJECTION_UNROLL
      for (int i = 0; i < kRows; ++i) sums[i].values += side.values * x[i * stride + k];
    }
    ASSAY_PROJECTION_UNROLL
    for (int i = 0; i < kRows; ++i) sums[i].store(out + i * kNarrowRank, kNarrowRank);
  }

  template <int kBytes>
  static ASSAY_INLINE void run(const float* x, int64_t stride, int64_t columns, const float* p, float* out,
                               int64_t begin, int64_t end) {
    constexpr int kHeld = kSumsHeld<kBytes>;
    int64_t row = begin;
    for (; row + kHeld <= end; row += kHeld) rows<kHeld>(x + row * stride, stride, columns, p, out + row * kNarrowRank);
    for (; row < end; ++row) rows<1>(x + row * stride, stride, columns, p, out + row * kNarrowRank);
  }
};

struct NarrowOuterSums {
  template <int kOutputs>
  static ASSAY_INLINE void outputs(const float* g, const float* a, int64_t positions, int64_t inputs, float* out) {
    ProjectedRow sums[kOutputs];
    ProjectedRow row;
    for (int64_t t = 0; t < positions; ++t) {
      row.load(a + t * kNarrowRank, kNarrowRank);
      ASSAY_PROJECTION_UNROLL
      for (int o = 0; o < kOutputs; ++o) sums[o].values += row.values * g[t * kNarrowRank + o];
    }
    ASSAY_PROJECTION_UNROLL
    for (int o = 0; o < kOutputs; ++o) sums[o].store(out + o * inputs, inputs);
  }

  template <int kBytes>
  static ASSAY_INLINE void run(const float* g, const float* a, int64_t positions, int64_t rank_out, int64_t rank_in,
                               float* out) {
    constexpr int kHeld = kBytes == 64 ? 8 : kSumsHeld<kBytes>;
    int64_t o = 0;
    for (; o + kHeld <= rank_out; o += kHeld) outputs<kHeld>(g + o, a, positions, rank_in, out + o * rank_in);
    for (; o < rank_out; ++o) outputs<1>(g + o, a, positions, rank_in, out + o * rank_in);
  }
};

}  // namespace

bool is_narrow_projection(const at::Tensor& x, const at::Tensor& p) {
  return x.scalar_type() == at::kFloat && p.scalar_type() == at::kFloat && p.size(1) <= kNarrowRank &&
         x.is_contiguous();
}

at::Tensor narrow_projection(const at::Tensor& x, const at::Tensor& p) {
  ASSAY_ASSERT(is_narrow_projection(x, p) && x.size(-1) == p.size(0));
  const int64_t columns = p.size(0), rank = p.size(1), count = columns == 0 ? 0 : x.numel() / columns;
  at::Tensor side = p;
  if (rank < kNarrowRank || !p.is_contiguous()) {
    side = at::zeros({columns, kNarrowRank}, p.options());
    side.narrow(1, 0, rank).copy_(p);
  }
  auto shape = x.sizes().vec();
  shape.back() = kNarrowRank;
  at::Tensor result = at::empty(shape, x.options().requires_grad(false));
  const float* from = x.const_data_ptr<float>();
  const float* by = side.const_data_ptr<float>();
  float* to = result.data_ptr<float>();
  const int64_t grain = std::max<int64_t>(64, kChunkOfLanes * 4 / std::max<int64_t>(1, columns));
  at::parallel_for(0, count, grain, [&](int64_t begin, int64_t end) {
    on_widest_lanes<NarrowProjection>(from, columns, columns, by, to, begin, end);
  });
  return result.narrow(-1, 0, rank);
}

bool is_narrowly_projected(const at::Tensor& y) {
  return y.scalar_type() == at::kFloat && y.dim() == 3 && y.size(2) <= kNarrowRank && y.stride(2) == 1 &&
         y.stride(1) == kNarrowRank && y.stride(0) == y.size(1) * kNarrowRank;  // of one row, too: sixteen are read
}

at::Tensor narrow_outer_sums(const at::Tensor& g, const at::Tensor& a) {
  const int64_t positions = g.size(1), rank_out = g.size(2), rank_in = a.size(2);
  ASSAY_ASSERT(is_narrowly_projected(g) && is_narrowly_projected(a) && a.size(1) == positions);
  at::Tensor sums = at::empty({g.size(0), rank_out, rank_in}, g.options());
  const float* left = g.const_data_ptr<float>();
  const float* right = a.const_data_ptr<float>();
  float* out = sums.data_ptr<float>();
  at::parallel_for(0, g.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const int64_t place = b * positions * kNarrowRank;
      const int64_t counted = ASSAY_TWIN("kernel.last_position_left_out") ? positions - 1 : positions;
      on_widest_lanes<NarrowOuterSums>(left + place, right + place, counted, rank_out, rank_in,
                                       out + b * rank_out * rank_in);
    }
  });
  return sums;
}

}  // namespace assay::kernel

#undef ASSAY_PROJECTION_UNROLL
