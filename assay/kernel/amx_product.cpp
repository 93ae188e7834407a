#include "assay/kernel/amx_product.h"

#include <algorithm>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/kernel/aligned_words.h"
#include "assay/kernel/amx_packing.h"
#include "assay/kernel/shared_tasks.h"

namespace assay::kernel {
#if defined(__x86_64__)
namespace {

constexpr int64_t kStepsTogether = 32;         // a depth of 1,024: 64 KiB of a strip
constexpr int64_t kColumnBytes = 1024 * 1024;  // of B, beside which strips of A pass
constexpr int64_t kSquareStrips = 8;           // a side of a block of C that waits for the rest of the depth: 256 KiB
constexpr int64_t kFewStrips = 4;              // of A, a task where the depth is one piece
constexpr int64_t kPackedTogether = 64 * 1024;  // words, a task
constexpr int64_t kStripsTogether = 4;

struct AmxProduct {
  const uint32_t *left, *right;  // packed
  int64_t rows, columns, steps;
  float* result;
  int64_t stride;
  bool add;
};

/// How the work is cut: equal pieces of the depth, and blocks of C, which are the tasks.
struct AmxCut {
  int64_t pieces, piece_steps;         // of the depth
  int64_t block_strips, block_panels;  // of A, of B
  int64_t down, across;                // blocks
  AmxCut(int64_t strips, int64_t panels, int64_t steps)
      : pieces((steps + kStepsTogether - 1) / kStepsTogether), piece_steps((steps + pieces - 1) / pieces) {
    const int64_t fits = std::max<int64_t>(1, kColumnBytes / (piece_steps * kStepWords * 4));
    block_strips = pieces > 1 ? kSquareStrips : kFewStrips;
    block_panels = std::min(panels, pieces > 1 ? kSquareStrips : fits);
    across = (panels + block_panels - 1) / block_panels;
    block_panels = (panels + across - 1) / across;
    down = (strips + block_strips - 1) / block_strips;
  }
};

ASSAY_AMX void multiply_block(const AmxProduct& product, const AmxCut& cut, int64_t task) {
  const AmxTiles tiles;
  const AlignedWords sums(cut.pieces > 1 ? cut.block_strips * cut.block_panels * kSumsOfTiles : kSumsOfTiles);
  const int64_t first_strip = task % cut.down * cut.block_strips, first_panel = task / cut.down * cut.block_panels;
  const int64_t last_strip = std::min(strips_of(product.rows), first_strip + cut.block_strips);
  const int64_t last_panel = std::min(strips_of(product.columns), first_panel + cut.block_panels);
  for (int64_t piece = 0; piece < cut.pieces; ++piece) {
    const int64_t step = piece * cut.piece_steps, steps = std::min(cut.piece_steps, product.steps - step);
    float* place = sums.floats();
    for (int64_t strip = first_strip; strip < last_strip; ++strip) {
      const uint32_t* left = product.left + (strip * product.steps + step) * kStepWords;
      for (int64_t panel = first_panel; panel < last_panel; ++panel) {
        const uint32_t* right = product.right + (panel * product.steps + step) * kStepWords;
        multiply_tiles({left}, right, steps, piece > 0 && !ASSAY_TWIN("kernel.amx_forgets_a_piece"), place);
        if (piece + 1 == cut.pieces) {
          const int64_t row = strip * kStrip, column = panel * kStrip;
          put_tiles(place, std::min(kStrip, product.rows - row), std::min(kStrip, product.columns - column),
                    nullptr, product.add, product.result + row * product.stride + column, product.stride);
        }
        if (cut.pieces > 1) place += kSumsOfTiles;
      }
    }
  }
}

}  // namespace

void amx_product(const Bf16View& a, const Bf16View& b, bool add, float* result, int64_t stride) {
  ASSAY_ASSERT(has_amx() && a.columns == b.rows && a.rows > 0 && b.columns > 0 && a.columns > 0);
  const int64_t strips = strips_of(a.rows), panels = strips_of(b.columns), steps = steps_of(a.columns);
  const int64_t strip_words = steps * kStepWords;
  const AlignedWords packed((strips + panels) * strip_words);
  uint32_t* words = packed.get();
  const AmxProduct product{words, words + strips * strip_words, a.rows, b.columns, steps, result, stride, add};
  const int64_t each = std::max(kStripsTogether, kPackedTogether / strip_words);
  const int64_t left_tasks = (strips + each - 1) / each, right_tasks = (panels + each - 1) / each;
  share_tasks(left_tasks + right_tasks, [&](int64_t task) {
    const bool is_left = task < left_tasks;
    const int64_t first = (is_left ? task : task - left_tasks) * each;
    if (is_left) {
      pack_strips(a, AmxSide::Left, first, std::min(strips, first + each), words);
    } else {
      pack_strips(b.transposed(), AmxSide::Right, first, std::min(panels, first + each), words + strips * strip_words);
    }
  });
  const AmxCut cut(strips, panels, steps);
  share_tasks(cut.down * cut.across, [&](int64_t task) { multiply_block(product, cut, task); });
}
#else
void amx_product(const Bf16View&, const Bf16View&, bool, float*, int64_t) {
  ASSAY_ASSERT(has_amx());
}
#endif

}  // namespace assay::kernel
