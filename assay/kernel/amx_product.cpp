#include "assay/kernel/amx_product.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <vector>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/kernel/amx_packing.h"

namespace assay::kernel {
#if defined(__x86_64__)
namespace {

constexpr int64_t kStepsTogether = 32;         // a depth of 1,024: 64 KiB of a strip
constexpr int64_t kColumnBytes = 1024 * 1024;  // of B, beside which strips of A pass
constexpr int64_t kSquareStrips = 8;           // a side of a block of C that waits for the rest of the depth: 256 KiB
constexpr int64_t kPackGrain = 64 * 1024;      // words that are worth another thread
constexpr int64_t kTasksEach = 4;

struct alignas(64) TileSums {
  float numbers[kSumsOfTiles];
};

struct AmxProduct {
  const uint32_t *left, *right;  // packed
  int64_t rows, columns, steps;
  float* result;
  int64_t stride;
  bool add;
};

/// How the work is cut: equal pieces of the depth, and blocks of C, which are the tasks.
struct AmxCut {
  int64_t pieces, piece_steps;              // of the depth
  int64_t down, across;                     // blocks
  int64_t block_strips, block_panels;       // of A, of B
  AmxCut(int64_t strips, int64_t panels, int64_t steps, int64_t threads)
      : pieces((steps + kStepsTogether - 1) / kStepsTogether), piece_steps((steps + pieces - 1) / pieces) {
    const int64_t fits = std::max<int64_t>(1, kColumnBytes / (piece_steps * kStepWords * 4));
    block_panels = std::min(panels, pieces > 1 ? kSquareStrips : fits);
    block_strips = std::min(strips, pieces > 1 ? kSquareStrips : strips);
    across = (panels + block_panels - 1) / block_panels;
    down = (strips + block_strips - 1) / block_strips;
    while (down < strips && across * down % threads != 0 && across * down < kTasksEach * threads) ++down;
    block_panels = (panels + across - 1) / across;
    block_strips = (strips + down - 1) / down;
    across = (panels + block_panels - 1) / block_panels;
    down = (strips + block_strips - 1) / block_strips;
  }
};

/// Sums of 32 x 32 to their place in the result.
ASSAY_AMX ASSAY_INLINE void put_sums(const float* sums, const AmxProduct& product, int64_t row, int64_t column) {
  const int64_t height = std::min(kStrip, product.rows - row), width = std::min(kStrip, product.columns - column);
  const auto left = static_cast<__mmask16>(width >= 16 ? 0xFFFFU : (1U << width) - 1);
  const auto right = static_cast<__mmask16>(width >= 32 ? 0xFFFFU : width > 16 ? (1U << (width - 16)) - 1 : 0U);
  float* to = product.result + row * product.stride + column;
  for (int64_t i = 0; i < height; ++i, to += product.stride) {
    const float* from = sums + i / kTileRows * 2 * kTileWords + i % kTileRows * 16;
    __m512 first = _mm512_load_ps(from), second = _mm512_load_ps(from + kTileWords);
    if (product.add) {
      first = _mm512_add_ps(first, _mm512_maskz_loadu_ps(left, to));
      second = _mm512_add_ps(second, _mm512_maskz_loadu_ps(right, to + 16));
    }
    _mm512_mask_storeu_ps(to, left, first);
    _mm512_mask_storeu_ps(to + 16, right, second);
  }
}

ASSAY_AMX void multiply_block(const AmxProduct& product, const AmxCut& cut, int64_t task, std::vector<TileSums>& sums) {
  const AmxTiles tiles;
  const int64_t first_strip = task % cut.down * cut.block_strips, first_panel = task / cut.down * cut.block_panels;
  const int64_t last_strip = std::min(strips_of(product.rows), first_strip + cut.block_strips);
  const int64_t last_panel = std::min(strips_of(product.columns), first_panel + cut.block_panels);
  for (int64_t piece = 0; piece < cut.pieces; ++piece) {
    const int64_t step = piece * cut.piece_steps, steps = std::min(cut.piece_steps, product.steps - step);
    TileSums* place = sums.data();
    for (int64_t strip = first_strip; strip < last_strip; ++strip) {
      const uint32_t* left = product.left + (strip * product.steps + step) * kStepWords;
      for (int64_t panel = first_panel; panel < last_panel; ++panel) {
        const uint32_t* right = product.right + (panel * product.steps + step) * kStepWords;
        multiply_tiles({left}, right, steps, piece > 0 && !ASSAY_TWIN("kernel.amx_forgets_a_piece"), place->numbers);
        if (piece + 1 == cut.pieces) put_sums(place->numbers, product, strip * kStrip, panel * kStrip);
        if (cut.pieces > 1) ++place;
      }
    }
  }
}

}  // namespace

void amx_product(const Bf16View& a, const Bf16View& b, bool add, float* result, int64_t stride) {
  ASSAY_ASSERT(has_amx() && a.columns == b.rows && a.rows > 0 && b.columns > 0 && a.columns > 0);
  const int64_t strips = strips_of(a.rows), panels = strips_of(b.columns), steps = steps_of(a.columns);
  const int64_t strip_words = steps * kStepWords, alignment = 16;
  const at::Tensor packed = at::empty({(strips + panels) * strip_words + alignment}, at::TensorOptions().dtype(at::kInt));
  auto* words = reinterpret_cast<uint32_t*>(packed.data_ptr<int>());
  words += (64 - reinterpret_cast<uintptr_t>(words) % 64) % 64 / 4;
  const AmxProduct product{words, words + strips * strip_words, a.rows, b.columns, steps, result, stride, add};
  const int64_t grain = std::max<int64_t>(1, kPackGrain / strip_words);
  at::parallel_for(0, strips + panels, grain, [&](int64_t begin, int64_t end) {
    pack_strips(a, AmxSide::Left, std::min(begin, strips), std::min(end, strips), words);
    pack_strips(b.transposed(), AmxSide::Right, std::max<int64_t>(begin - strips, 0),
                std::max<int64_t>(end - strips, 0), words + strips * strip_words);
  });
  const AmxCut cut(strips, panels, steps, at::get_num_threads());
  at::parallel_for(0, cut.down * cut.across, 1, [&](int64_t begin, int64_t end) {
    std::vector<TileSums> sums(static_cast<size_t>(cut.pieces > 1 ? cut.block_strips * cut.block_panels : 1));
    for (int64_t task = begin; task < end; ++task) multiply_block(product, cut, task, sums);
  });
}
#else
void amx_product(const Bf16View&, const Bf16View&, bool, float*, int64_t) {
  ASSAY_ASSERT(has_amx());
}
#endif

}  // namespace assay::kernel
