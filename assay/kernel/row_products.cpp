#include "assay/kernel/row_products.h"

#include <ATen/Parallel.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <vector>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/kernel/lanes.h"

// Loops over sums are unrolled: an index that varies would keep the sums out of the registers.
#ifdef __clang__
#define ASSAY_ROWS_UNROLL _Pragma("clang loop unroll(full)")
#else
#define ASSAY_ROWS_UNROLL _Pragma("GCC unroll 8")
#endif

namespace assay::kernel {
namespace {

constexpr int64_t kRowsOfTile = 16;        // times a segment of columns, they stay in a core's L2
constexpr int64_t kSegmentColumns = 2048;  // four vectors' part of it stays in L1

// Columns that share a scale, no more than fit the caches.
struct RowSegment {
  int64_t begin, end, layer;
};

struct RowBfloat {
  uint16_t bits;
};
struct RowHalf {
  uint16_t bits;
};

// `count` stored numbers as float32, zeros beyond them.
template <int kBytes>
ASSAY_INLINE void widen_row(const float* from, int64_t count, Lanes<float, kBytes>& to) {
  to.load(from, count);
}

template <int kBytes>
ASSAY_INLINE void widen_row(const RowBfloat* from, int64_t count, Lanes<float, kBytes>& to) {
  constexpr int64_t kCount = Lanes<float, kBytes>::kCount;
  using Short = typename Lanes<uint16_t, kBytes / 2>::Values;
  using Word = typename Lanes<uint32_t, kBytes>::Values;
  Short narrow = Short{};
  __builtin_memcpy(&narrow, from, static_cast<size_t>(std::min(count, kCount)) * 2);
  const Word wide = __builtin_convertvector(narrow, Word) << 16;
  __builtin_memcpy(&to.values, &wide, kBytes);
}

template <int kBytes>
ASSAY_INLINE void widen_row(const RowHalf* from, int64_t count, Lanes<float, kBytes>& to) {
  constexpr int64_t kCount = Lanes<float, kBytes>::kCount;
  using Short = typename Lanes<uint16_t, kBytes / 2>::Values;
  using Word = typename Lanes<uint32_t, kBytes>::Values;
  Short narrow = Short{};
  __builtin_memcpy(&narrow, from, static_cast<size_t>(std::min(count, kCount)) * 2);
  // As in io/half.h, for finite numbers: the bits in float32's place mean the number times 2^-112, exactly.
  const Word bits = __builtin_convertvector(narrow, Word);
  const Word magnitude = (bits & 0x7FFFu) << 13, sign = (bits & 0x8000u) << 16;
  __builtin_memcpy(&to.values, &magnitude, kBytes);
  to.values *= 0x1p112F;
  Word result;
  __builtin_memcpy(&result, &to.values, kBytes);
  result |= sign;
  __builtin_memcpy(&to.values, &result, kBytes);
}

template <int kBytes>
ASSAY_INLINE void widen_row(const int8_t* from, int64_t count, Lanes<float, kBytes>& to) {
  constexpr int64_t kCount = Lanes<float, kBytes>::kCount;
  using Byte = typename Lanes<int8_t, kBytes / 4>::Values;
  using Word = typename Lanes<int32_t, kBytes>::Values;
  Byte narrow = Byte{};
  __builtin_memcpy(&narrow, from, static_cast<size_t>(std::min(count, kCount)));
  to.values = __builtin_convertvector(__builtin_convertvector(narrow, Word), typename Lanes<float, kBytes>::Values);
}

// One row's segment against kVectors vectors: eight sums in flight hide the latency of an addition.
template <int kBytes, int kVectors, typename Stored>
ASSAY_INLINE void row_segment(const Stored* row, const float* const* vectors, int64_t columns, float scale,
                              float* const* out) {
  using L = Lanes<float, kBytes>;
  constexpr int kUnrolled = 8 / kVectors;
  constexpr int64_t kStep = kUnrolled * L::kCount;
  L sums[kVectors][kUnrolled];
  L z, u;
  int64_t c = 0;
  for (; c + kStep <= columns; c += kStep) {
    ASSAY_ROWS_UNROLL
    for (int i = 0; i < kUnrolled; ++i) {
      const int64_t at = c + i * L::kCount;
      widen_row(row + at, L::kCount, z);
      ASSAY_ROWS_UNROLL
      for (int q = 0; q < kVectors; ++q) {
        u.load(vectors[q] + at, L::kCount);
        sums[q][i].values += z.values * u.values;
      }
    }
  }
  for (; c < columns; c += L::kCount) {
    widen_row(row + c, columns - c, z);
    ASSAY_ROWS_UNROLL
    for (int q = 0; q < kVectors; ++q) {
      u.load(vectors[q] + c, columns - c);
      sums[q][0].values += z.values * u.values;
    }
  }
  ASSAY_ROWS_UNROLL
  for (int q = 0; q < kVectors; ++q) {
    ASSAY_ROWS_UNROLL
    for (int i = 1; i < kUnrolled; ++i) sums[q][0].values += sums[q][i].values;
    *out[q] += scale * sums[q][0].sum();
  }
}

struct RowProductsCall {
  const float* vectors;
  int64_t queries, vector_stride;
  int64_t row_stride;
  const float* scales;
  int64_t scale_stride;
  const RowSegment* segments;
  int64_t segment_count;
  float* out;
  int64_t out_stride;
};

struct RowProducts {
  template <int kBytes, int kVectors, typename Stored>
  static ASSAY_INLINE void tile(const RowProductsCall& call, const Stored* rows, int64_t first, int64_t last,
                                const RowSegment& segment, int64_t query) {
    const float* vectors[kVectors];
    for (int q = 0; q < kVectors; ++q) vectors[q] = call.vectors + (query + q) * call.vector_stride + segment.begin;
    for (int64_t i = first; i < last; ++i) {
      float* out[kVectors];
      for (int q = 0; q < kVectors; ++q) out[q] = call.out + (query + q) * call.out_stride + i;
      const float scale = call.scales == nullptr ? 1 : call.scales[i * call.scale_stride + segment.layer];
      row_segment<kBytes, kVectors>(rows + i * call.row_stride + segment.begin, vectors, segment.end - segment.begin,
                                    scale, out);
    }
  }

  template <int kBytes, typename Stored>
  static ASSAY_INLINE void run(const RowProductsCall* given, const Stored* rows, int64_t begin, int64_t end) {
    const RowProductsCall& call = *given;
    for (int64_t first = begin; first < end; first += kRowsOfTile) {
      const int64_t last = std::min(end, first + kRowsOfTile);
      for (int64_t s = 0; s < call.segment_count; ++s) {
        const RowSegment& segment = call.segments[s];
        int64_t query = 0;
        for (; query + 4 <= call.queries; query += 4) tile<kBytes, 4>(call, rows, first, last, segment, query);
        for (; query + 2 <= call.queries; query += 2) tile<kBytes, 2>(call, rows, first, last, segment, query);
        for (; query < call.queries; ++query) tile<kBytes, 1>(call, rows, first, last, segment, query);
      }
    }
  }
};

template <typename Stored>
void each_row(const RowProductsCall& call, const Stored* rows, int64_t count) {
  at::parallel_for(0, (count + kRowsOfTile - 1) / kRowsOfTile, 1, [&](int64_t first, int64_t last) {
    on_widest_lanes<RowProducts>(&call, rows, first * kRowsOfTile, std::min(count, last * kRowsOfTile));
  });
}

std::vector<RowSegment> segments_of(int64_t columns, std::span<const int64_t> ends) {
  const std::vector<int64_t> whole{columns};
  if (ends.empty()) ends = whole;
  std::vector<RowSegment> segments;
  int64_t begin = 0;
  for (size_t layer = 0; layer < ends.size(); ++layer) {
    for (; begin < ends[layer]; begin = segments.back().end)
      segments.push_back({begin, std::min(ends[layer], begin + kSegmentColumns), static_cast<int64_t>(layer)});
  }
  return segments;
}

}  // namespace

at::Tensor products_with_rows(const at::Tensor& vectors, const at::Tensor& rows, const at::Tensor& scales,
                              std::span<const int64_t> ends) {
  ASSAY_ASSERT(vectors.scalar_type() == at::kFloat && vectors.size(1) == rows.size(1) && rows.stride(1) == 1);
  ASSAY_ASSERT(!scales.defined() || (scales.stride(1) == 1 && scales.size(1) == static_cast<int64_t>(ends.size()) &&
                                     ends.back() == rows.size(1)));
  const at::Tensor u = vectors.contiguous();
  const int64_t count = rows.size(0);
  at::Tensor products = at::zeros({u.size(0), count}, at::kFloat);
  const std::vector<RowSegment> segments =
      segments_of(rows.size(1), scales.defined() ? ends : std::span<const int64_t>{});
  const bool is_scaled = scales.defined() && !ASSAY_TWIN("kernel.rows_without_their_scales");
  const RowProductsCall call{.vectors = u.const_data_ptr<float>(),
                             .queries = u.size(0),
                             .vector_stride = u.stride(0),
                             .row_stride = rows.stride(0),
                             .scales = is_scaled ? scales.const_data_ptr<float>() : nullptr,
                             .scale_stride = is_scaled ? scales.stride(0) : 0,
                             .segments = segments.data(),
                             .segment_count = static_cast<int64_t>(segments.size()),
                             .out = products.data_ptr<float>(),
                             .out_stride = count};
  const void* data = rows.const_data_ptr();
  switch (rows.scalar_type()) {
    case at::kFloat: each_row(call, static_cast<const float*>(data), count); break;
    case at::kBFloat16: each_row(call, static_cast<const RowBfloat*>(data), count); break;
    case at::kHalf: each_row(call, static_cast<const RowHalf*>(data), count); break;
    case at::kChar: each_row(call, static_cast<const int8_t*>(data), count); break;
    default: ASSAY_ASSERT(false);  // rows of other types are widened by decode_rows first
  }
  return products;
}

}  // namespace assay::kernel

#undef ASSAY_ROWS_UNROLL
