#include "assay/kernel/amx_product.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/kernel/aligned_words.h"
#include "assay/kernel/amx_packing.h"
#include "assay/kernel/shared_tasks.h"

namespace assay::kernel {
#if defined(__x86_64__)
namespace {

constexpr int64_t kWholeSteps = 32;          // a depth of 1,024 goes through the unit in one piece
constexpr int64_t kPieceSteps = 16;          // beyond it in pieces of 512: a strip's 32 KiB stay in the innermost cache
constexpr int64_t kBlockBytes = 512 * 1024;  // of B, beside which strips of A pass
constexpr int64_t kSquareStrips = 8;         // a side of a block of C that waits for its other pieces: 256 KiB
constexpr int64_t kPackedTogether = 64 * 1024;  // words, a task
constexpr int64_t kStripsTogether = 4;
constexpr int64_t kTasksEach = 2;  // for a thread at least, so that none waits long for the other

struct AmxProduct {
  Bf16View columns;              // B as rows of its transpose
  const uint32_t *left, *right;  // packed; right or null: each task packs its own
  int64_t rows, steps;
  ProductPlace result;
};

/// Sums of a strip and a panel on their way to C: some of their rows at every step of the next product, because a
/// store that waits for memory costs nothing there.
struct SumsOnTheirWay {
  const float* sums = nullptr;  // none yet
  int64_t height = 0, width = 0, rows_each = 0;
  ProductPlace to{};

  SumsOnTheirWay() = default;
  SumsOnTheirWay(const AmxProduct& product, int64_t strip, int64_t panel, int64_t steps, const float* from)
      : sums(from),
        height(std::min(kStrip, product.rows - strip * kStrip)),
        width(std::min(kStrip, product.columns.rows - panel * kStrip)),
        rows_each((kStrip + steps - 1) / steps),
        to(product.result) {
    to.data += strip * kStrip * to.stride + panel * kStrip;
    if (to.start != nullptr) to.start += panel * kStrip;
  }
  ASSAY_AMX ASSAY_INLINE void put(int64_t begin, int64_t end) const {
    const __mmask16 low = first_lanes(width), high = first_lanes(width - kTileRows);
    for (int64_t i = begin; i < std::min(end, height); ++i) {
      const float* from = sums + row_of_tiles(i);
      float* row = to.data + i * to.stride;
      const float* start = to.add ? row : to.start;
      __m512 first = _mm512_load_ps(from), second = _mm512_load_ps(from + kTileWords);
      if (start != nullptr) {
        first = _mm512_add_ps(first, _mm512_maskz_loadu_ps(low, start));
        second = _mm512_add_ps(second, _mm512_maskz_loadu_ps(high, start + kTileRows));
      }
      _mm512_mask_storeu_ps(row, low, first);
      _mm512_mask_storeu_ps(row + kTileRows, high, second);
    }
  }
  ASSAY_AMX ASSAY_INLINE void operator()(int64_t step) const { put(step * rows_each, (step + 1) * rows_each); }
};

/// How the work is cut: equal pieces of the depth, and blocks of C, which are the tasks.
struct AmxCut {
  int64_t pieces, piece_steps;         // of the depth
  int64_t block_strips, block_panels;  // of A, of B
  int64_t down, across;                // blocks
  AmxCut(int64_t strips, int64_t panels, int64_t steps, int64_t threads)
      : pieces(steps <= kWholeSteps ? 1 : (steps + kPieceSteps - 1) / kPieceSteps),
        piece_steps((steps + pieces - 1) / pieces) {
    const int64_t wanted = kTasksEach * threads;
    if (pieces > 1) {
      int64_t side = kSquareStrips;
      do {
        across = (panels + side - 1) / side;
        down = (strips + side - 1) / side;
        side /= 2;
      } while (side > 0 && across * down < wanted);
    } else {
      const int64_t fits = std::max<int64_t>(1, kBlockBytes / (steps * kStepWords * 4));
      across = std::min(panels, std::max((panels + fits - 1) / fits, wanted));
      down = std::min(strips, (wanted + across - 1) / across);
    }
    block_panels = (panels + across - 1) / across;
    block_strips = (strips + down - 1) / down;
    across = (panels + block_panels - 1) / block_panels;
    down = (strips + block_strips - 1) / block_strips;
  }
};

ASSAY_AMX void multiply_block(const AmxProduct& product, const AmxCut& cut, int64_t task) {
  const AmxTiles tiles;
  const int64_t first_strip = task % cut.down * cut.block_strips, first_panel = task / cut.down * cut.block_panels;
  const int64_t last_strip = std::min(strips_of(product.rows), first_strip + cut.block_strips);
  const int64_t last_panel = std::min(strips_of(product.columns.rows), first_panel + cut.block_panels);
  const int64_t strip_words = product.steps * kStepWords, block_panels = last_panel - first_panel;
  const AlignedWords sums(cut.pieces > 1 ? cut.block_strips * cut.block_panels * kSumsOfTiles : 2 * kSumsOfTiles);
  // Of B what this task multiplies: packed where it stays in the core's cache, or by all threads for several tasks.
  const AlignedWords own(product.right == nullptr ? block_panels * strip_words : 0);
  if (product.right == nullptr) {
    const int64_t row = first_panel * kStrip, count = std::min(product.columns.rows - row, block_panels * kStrip);
    pack_strips(product.columns.block(row, 0, count, product.columns.columns), AmxSide::Right, 0, block_panels,
                own.get());
  }
  const uint32_t* right = product.right == nullptr ? own.get() : product.right + first_panel * strip_words;
  SumsOnTheirWay waiting;
  for (int64_t piece = 0; piece < cut.pieces; ++piece) {
    const int64_t step = piece * cut.piece_steps, steps = std::min(cut.piece_steps, product.steps - step);
    int64_t place = 0;
    for (int64_t strip = first_strip; strip < last_strip; ++strip) {
      const uint32_t* left = product.left + strip * strip_words + step * kStepWords;
      for (int64_t panel = 0; panel < block_panels; ++panel) {
        const bool goes_on = piece > 0 && !ASSAY_TWIN("kernel.amx_forgets_a_piece");
        float* four = sums.floats() + place * kSumsOfTiles;
        multiply_tiles(left, right + panel * strip_words + step * kStepWords, steps, goes_on, four, waiting);
        if (piece + 1 == cut.pieces) waiting = SumsOnTheirWay(product, strip, first_panel + panel, steps, four);
        place = cut.pieces > 1 ? place + 1 : 1 - place;
      }
    }
  }
  waiting.put(0, kStrip);
}

}  // namespace

void amx_product(const Bf16View& a, const Bf16View& b, const ProductPlace& result) {
  ASSAY_ASSERT(has_amx() && a.columns == b.rows && a.rows > 0 && b.columns > 0 && a.columns > 0);
  const int64_t strips = strips_of(a.rows), panels = strips_of(b.columns), steps = steps_of(a.columns);
  const AmxCut cut(strips, panels, steps, at::get_num_threads());
  const bool packs_apart = cut.down > 1 && panels > 1;  // a panel that several tasks multiply
  const int64_t strip_words = steps * kStepWords;
  const AlignedWords packed((strips + (packs_apart ? panels : 0)) * strip_words);
  uint32_t *left = packed.get(), *right = packs_apart ? left + strips * strip_words : nullptr;
  const int64_t each = std::max(kStripsTogether, kPackedTogether / strip_words);
  const int64_t left_tasks = (strips + each - 1) / each, right_tasks = packs_apart ? (panels + each - 1) / each : 0;
  share_tasks(left_tasks + right_tasks, [&](int64_t task) {
    const bool is_left = task < left_tasks;
    const int64_t first = (is_left ? task : task - left_tasks) * each;
    if (is_left) {
      pack_strips(a, AmxSide::Left, first, std::min(strips, first + each), left);
    } else {
      pack_strips(b.transposed(), AmxSide::Right, first, std::min(panels, first + each), right);
    }
  });
  const AmxProduct product{b.transposed(), left, right, a.rows, steps, result};
  share_tasks(cut.down * cut.across, [&](int64_t task) { multiply_block(product, cut, task); });
}
#else
void amx_product(const Bf16View&, const Bf16View&, const ProductPlace&) {
  ASSAY_ASSERT(has_amx());
}
#endif

}  // namespace assay::kernel
