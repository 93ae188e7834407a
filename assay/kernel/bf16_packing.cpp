#include "assay/kernel/bf16_packing.h"

#include <algorithm>
#include <cstring>

#include "assay/kernel/lanes.h"
#include "assay/kernel/word_square.h"

namespace assay::kernel {
namespace {

ASSAY_INLINE void turn_square(const uint32_t* from, int64_t from_stride, uint32_t* to, int64_t to_stride) {
  SquareWords rows[kTurned];
  for (int64_t i = 0; i < kTurned; ++i) __builtin_memcpy(&rows[i], from + i * from_stride, sizeof(SquareWords));
  turn_words(rows);
  for (int64_t i = 0; i < kTurned; ++i) __builtin_memcpy(to + i * to_stride, &rows[i], sizeof(SquareWords));
}

// to[j][i] = from[i][j] for i < rows, j < columns.
struct TurnWords {
  template <int>
  static ASSAY_INLINE void run(const uint32_t* from, int64_t from_stride, int64_t rows, int64_t columns, uint32_t* to,
                               int64_t to_stride) {
    for (int64_t i = 0; i < rows; i += kTurned) {
      for (int64_t j = 0; j < columns; j += kTurned) {
        const uint32_t* square = from + i * from_stride + j;
        uint32_t* place = to + j * to_stride + i;
        if (i + kTurned <= rows && j + kTurned <= columns) {
          turn_square(square, from_stride, place, to_stride);
          continue;
        }
        for (int64_t y = 0; y < std::min(kTurned, rows - i); ++y) {
          for (int64_t x = 0; x < std::min(kTurned, columns - j); ++x)
            place[x * to_stride + y] = square[y * from_stride + x];
        }
      }
    }
  }
};

// Two rows into one of pairs.
struct JoinRows {
  template <int>
  static ASSAY_INLINE void run(const uint16_t* __restrict first, const uint16_t* __restrict second, int64_t count,
                               uint32_t* __restrict to) {
    constexpr int64_t kTogether = 16;
    int64_t i = 0;
    for (; i + kTogether <= count; i += kTogether) {
      for (int64_t l = 0; l < kTogether; ++l) to[i + l] = first[i + l] | uint32_t{second[i + l]} << 16;
    }
    for (; i < count; ++i) to[i] = first[i] | uint32_t{second[i]} << 16;
  }
};

// Rows that lie side by side, of an even length at the end: pairs of neighbours are words already.
void copy_rows(const Bf16View& view, uint32_t* to) {
  const int64_t words = (view.columns + 1) / 2;
  for (int64_t i = 0; i < view.rows; ++i) {
    to[(i + 1) * words - 1] = 0;
    std::memcpy(to + i * words, view.data + i * view.row_stride, static_cast<size_t>(view.columns) * 2);
  }
}

// [k,n] whose rows lie side by side.
void join_pairs(const Bf16View& view, uint32_t* to) {
  for (int64_t k = 0; k < view.rows; k += 2, to += view.columns) {
    const uint16_t* row = view.data + k * view.row_stride;
    if (k + 1 < view.rows) {
      on_widest_lanes<JoinRows>(row, row + view.row_stride, view.columns, to);
    } else {
      for (int64_t j = 0; j < view.columns; ++j) to[j] = row[j];
    }
  }
}

// A piece at a time goes through a buffer in the innermost cache.
constexpr int64_t kPieceRows = 64, kPieceWords = 32;

}  // namespace

Bf16View bf16_view(const at::Tensor& x) {
  const auto* data = reinterpret_cast<const uint16_t*>(x.const_data_ptr<at::BFloat16>());
  // Strides of a single row or column mean nothing, and may look like the other order.
  const bool is_row = x.size(0) == 1 && x.stride(1) == 1;
  const bool has_rows = x.stride(1) == 1 && (is_row || x.stride(0) >= x.size(1));
  return {data, x.size(0), x.size(1), is_row ? x.size(1) : has_rows ? x.stride(0) : 1, has_rows ? 1 : x.stride(1)};
}

void pack_pairs(const Bf16View& view, uint32_t* to) {
  if (view.has_rows()) return join_pairs(view, to);
  // Columns lie side by side: each is a row of words, to be turned round.
  uint32_t buffer[kPieceRows * kPieceWords];
  const Bf16View rows = view.transposed();  // [n,k]
  for (int64_t j = 0; j < rows.rows; j += kPieceRows) {
    const int64_t height = std::min(kPieceRows, rows.rows - j);
    for (int64_t k = 0; k < rows.columns; k += 2 * kPieceWords) {
      const int64_t width = std::min(2 * kPieceWords, rows.columns - k), words = (width + 1) / 2;
      copy_rows(rows.block(j, k, height, width), buffer);
      on_widest_lanes<TurnWords>(static_cast<const uint32_t*>(buffer), words, height, words,
                                 to + k / 2 * view.columns + j, view.columns);
    }
  }
}

void pack_rows(const Bf16View& view, uint32_t* to) {
  if (view.has_rows()) return copy_rows(view, to);
  uint32_t buffer[kPieceRows * kPieceWords];
  const int64_t row_words = (view.columns + 1) / 2;
  for (int64_t i = 0; i < view.rows; i += kPieceRows) {
    const int64_t height = std::min(kPieceRows, view.rows - i);
    for (int64_t k = 0; k < view.columns; k += 2 * kPieceWords) {
      const int64_t width = std::min(2 * kPieceWords, view.columns - k), words = (width + 1) / 2;
      join_pairs(view.block(i, k, height, width).transposed(), buffer);  // [words,height]
      on_widest_lanes<TurnWords>(static_cast<const uint32_t*>(buffer), height, words, height,
                                 to + i * row_words + k / 2, row_words);
    }
  }
}

}  // namespace assay::kernel
