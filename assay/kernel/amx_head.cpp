#include "assay/kernel/amx_head.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/kernel/aligned_words.h"
#include "assay/kernel/amx_packing.h"
#include "assay/kernel/amx_panel_exponentials.h"
#include "assay/kernel/shared_tasks.h"

namespace assay::kernel {
namespace {

constexpr int64_t kBlockNumbers = 128 * 1024;  // of the head, 512 KiB with both of its layouts
constexpr int64_t kMostClasses = 512, kFewestClasses = 128;
constexpr int64_t kGroupNumbers = 2 * 1024 * 1024;  // of the head, laid out at a time: 8 MiB
constexpr int64_t kStripsTogether = 16, kTasksEach = 4;
constexpr float kMostOfBlock = 1e26F;  // times a vocabulary far below the largest float
constexpr float kFarthest = 1e30F;     // that a level lies from zero

int64_t classes_of_block(int64_t width) {
  return std::clamp(kBlockNumbers / std::max<int64_t>(width, 1) / kStrip * kStrip, kFewestClasses, kMostClasses);
}

}  // namespace

bool AmxHead::can_read(const at::Tensor& rows, const at::Tensor& head) {
  return has_amx() && rows.is_cpu() && head.is_cpu() && rows.scalar_type() == at::kBFloat16 &&
         head.scalar_type() == at::kBFloat16 && rows.numel() > 0 && head.numel() > 0;
}

int64_t AmxHead::working_bytes(int64_t rows, int64_t width, int64_t vocabulary) {
  if (vocabulary == 0) return 0;
  const int64_t block = classes_of_block(width);
  // Packed rows, sums and means, sums of blocks; then the head in both layouts.
  const int64_t of_row = 2 * width + 2 * 4 * width + 4 * (vocabulary / block + 1) + 16;
  return rows * of_row + 4 * std::max(kGroupNumbers, block * width);
}

#if defined(__x86_64__)
namespace {

at::Tensor with_dense_rows(const at::Tensor& x) {
  return x.stride(1) == 1 && x.stride(0) >= x.size(1) ? x : x.contiguous();
}

/// What is known of each row so far.
struct RowSums {
  float *levels, *sums, *kept_sums;
  float* block_sums;  // [rows,blocks]
  int64_t blocks;
};

/// One strip of rows and the blocks of the head that are laid out.
struct HeadStrip {
  const uint32_t* rows;      // packed
  float* means;              // [panels of the width] tiles of sums, or null
  int64_t first_row, width;  // rows of RowSums; D
};
struct HeadGroup {
  const uint32_t *forward, *back;  // block by block
  int64_t first_class, classes, block;
};

ASSAY_AMX void scale_means(float* means, int64_t panels, int64_t i, float share) {
  for (float* row = means + row_of_tiles(i); panels > 0; --panels, row += kSumsOfTiles) {
    _mm512_store_ps(row, _mm512_mul_ps(_mm512_load_ps(row), _mm512_set1_ps(share)));
    _mm512_store_ps(row + kTileWords, _mm512_mul_ps(_mm512_load_ps(row + kTileWords), _mm512_set1_ps(share)));
  }
}

/// The levels of a strip before its first block: what the first panel says, which is near enough.
ASSAY_AMX void begin_levels(const HeadStrip& strip, const RowSums& sums, const float* panel, int64_t classes) {
  for (int64_t i = 0; i < kStrip; ++i) {
    const float largest = largest_logit(panel + row_of_tiles(i), std::min(classes, kStrip));
    sums.levels[strip.first_row + i] = std::clamp(largest, -kFarthest, kFarthest);
  }
}

/// A row's level rises to the largest logit of a block in which some row of the strip made more than floats hold well:
/// what was summed is scaled to the new one.
ASSAY_AMX void raise_level(const HeadStrip& strip, const RowSums& sums, int64_t i, int64_t block, float largest) {
  const int64_t row = strip.first_row + i;
  const float before = sums.levels[row];
  if (!(largest > before) || ASSAY_TWIN("kernel.softmax_level_never_moves")) return;
  sums.levels[row] = std::min(largest, kFarthest);
  const float share = std::exp(before - sums.levels[row]);
  sums.sums[row] *= share;
  sums.kept_sums[row] *= share;
  for (int64_t k = 0; k < block; ++k) sums.block_sums[row * sums.blocks + k] *= share;
  if (strip.means) scale_means(strip.means, strips_of(strip.width), i, share);
}

/// Where a strip's work on a block happens.
struct BlockScratch {
  AlignedWords logits, shares;
  StripSums found;
  explicit BlockScratch(int64_t block) : logits(2 * kSumsOfTiles), shares(block * kStrip / 2) {}
  [[nodiscard]] float* panel(int64_t k) const { return logits.floats() + k % 2 * kSumsOfTiles; }
};

/// The exponentials of a block's classes, panel by panel: one's are made while the next is multiplied.
ASSAY_AMX void make_exponentials(const HeadStrip& strip, const uint32_t* forward, int64_t classes, bool is_first,
                                 const RowSums& sums, BlockScratch& scratch) {
  const int64_t steps = steps_of(strip.width), panels = strips_of(classes);
  StripSums& found = scratch.found;
  const auto of_panel = [&](int64_t panel) {
    const bool is_none = panel < 0;
    return PanelExponentials(is_none ? nullptr : scratch.panel(panel), classes - panel * kStrip,
                             scratch.shares.get() + std::max<int64_t>(panel, 0) * kStepWords, found, steps);
  };
  std::fill_n(found.sums, kStrip * kTileRows, 0.0F);
  std::fill_n(found.kept, kStrip * kTileRows, 0.0F);
  for (int64_t panel = 0; panel < panels; ++panel) {
    multiply_tiles(strip.rows, forward + panel * steps * kStepWords, steps, false, scratch.panel(panel),
                   of_panel(panel - 1));
    if (panel > 0) continue;
    if (is_first) begin_levels(strip, sums, scratch.panel(0), classes);
    for (int64_t i = 0; i < kStrip; ++i) found.levels[i] = sums.levels[strip.first_row + i] * kLog2E;
  }
  const PanelExponentials last = of_panel(panels - 1);
  for (int64_t i = 0; i < kStrip; ++i) last.of_row(i);
}

/// Sums of a strip's rows over the block, and whether all of them are numbers that one may go on with.
ASSAY_AMX bool keep_sums(const HeadStrip& strip, int64_t block, const RowSums& sums, const StripSums& found,
                         bool anyway) {
  float of_row[kStrip], kept[kStrip];
  bool is_sound = true;
  for (int64_t i = 0; i < kStrip; ++i) {
    of_row[i] = _mm512_reduce_add_ps(_mm512_load_ps(found.sums + i * kTileRows));
    kept[i] = _mm512_reduce_add_ps(_mm512_load_ps(found.kept + i * kTileRows));
    is_sound = is_sound && of_row[i] <= kMostOfBlock;  // false of a NaN
  }
  if (!is_sound && !anyway) return false;
  for (int64_t i = 0; i < kStrip; ++i) {
    const int64_t row = strip.first_row + i;
    sums.block_sums[row * sums.blocks + block] = kept[i];
    sums.sums[row] += of_row[i];
    sums.kept_sums[row] += kept[i];
  }
  return true;
}

/// One block of classes for one strip of rows.
ASSAY_AMX void walk_block(const HeadStrip& strip, const HeadGroup& group, int64_t first, const RowSums& sums,
                          BlockScratch& scratch) {
  const int64_t steps = steps_of(strip.width), panels = strips_of(strip.width);
  const int64_t classes = std::min(group.block, group.classes - first),
                block = (group.first_class + first) / group.block;
  const uint32_t* forward = group.forward + first / kStrip * steps * kStepWords;
  make_exponentials(strip, forward, classes, block == 0, sums, scratch);
  if (!keep_sums(strip, block, sums, scratch.found, false)) {
    for (int64_t panel = 0; panel < strips_of(classes); ++panel) {
      multiply_tiles(strip.rows, forward + panel * steps * kStepWords, steps, false, scratch.panel(0));
      for (int64_t i = 0; i < kStrip; ++i)
        raise_level(strip, sums, i, block,
                    largest_logit(scratch.panel(0) + row_of_tiles(i), std::min(kStrip, classes - panel * kStrip)));
    }
    make_exponentials(strip, forward, classes, false, sums, scratch);
    keep_sums(strip, block, sums, scratch.found, true);
  }
  if (strip.means == nullptr) return;
  const uint32_t* back = group.back + first / group.block * panels * steps_of(group.block) * kStepWords;
  for (int64_t panel = 0; panel < panels; ++panel)
    multiply_tiles(scratch.shares.get(), back + panel * steps_of(classes) * kStepWords, steps_of(classes), true,
                   strip.means + panel * kSumsOfTiles);
}

/// Some strips, one block after the other: a block comes to the core's cache once for all of them.
ASSAY_AMX void walk_strips(int64_t first_strip, int64_t last_strip, const uint32_t* rows, float* means, int64_t width,
                           const HeadGroup& group, const RowSums& sums) {
  const AmxTiles tiles;
  BlockScratch scratch(group.block);
  const int64_t strip_words = steps_of(width) * kStepWords, mean_numbers = strips_of(width) * kSumsOfTiles;
  for (int64_t first = 0; first < group.classes; first += group.block) {
    for (int64_t strip = first_strip; strip < last_strip; ++strip) {
      float* own = means == nullptr ? nullptr : means + strip * mean_numbers;
      walk_block({rows + strip * strip_words, own, strip * kStrip, width}, group, first, sums, scratch);
    }
  }
}

/// Classes [first, first + classes) of the head, block by block, in both layouts (one where no means are wanted).
void lay_out(const Bf16View& head, const HeadGroup& group, uint32_t* forward, uint32_t* back) {
  const int64_t panels = strips_of(head.columns), block_steps = steps_of(group.block);
  const int64_t strips = strips_of(group.classes), blocks = (group.classes + group.block - 1) / group.block;
  const int64_t block_strips = strips_of(group.block);
  const Bf16View classes = head.block(group.first_class, 0, group.classes, head.columns);
  share_tasks(back == nullptr ? blocks : 2 * blocks, [&](int64_t task) {
    const int64_t block = task % blocks, first = block * group.block,
                  count = std::min(group.block, group.classes - first);
    if (task < blocks) {
      pack_strips(classes, AmxSide::Right, block * block_strips, std::min(strips, (block + 1) * block_strips), forward);
    } else {
      uint32_t* to = back + block * panels * block_steps * kStepWords;
      pack_strips(classes.block(first, 0, count, head.columns).transposed(), AmxSide::Right, 0, panels, to);
    }
  });
}

/// to [n,D] = the sums of each row over `divisors`.
ASSAY_AMX void put_means(const float* means, int64_t rows, int64_t width, const float* divisors, float* to) {
  const int64_t panels = strips_of(width);
  for (int64_t row = 0; row < rows; ++row, to += width) {
    const float* from = means + row / kStrip * panels * kSumsOfTiles + row_of_tiles(row % kStrip);
    const __m512 divisor = _mm512_set1_ps(divisors[row]);
    for (int64_t d = 0; d < width; d += 16) {
      const float* part = from + place_in_sums(0, d);
      _mm512_mask_storeu_ps(to + d, first_lanes(width - d), _mm512_div_ps(_mm512_load_ps(part), divisor));
    }
  }
}

}  // namespace

AmxHead::AmxHead(const at::Tensor& rows, const at::Tensor& head, bool with_means)
    : rows_(with_dense_rows(rows.detach())),
      head_(with_dense_rows(head.detach())),
      block_(classes_of_block(rows.size(1))) {
  ASSAY_ASSERT(can_read(rows, head) && rows.dim() == 2 && head.dim() == 2 && rows.size(1) == head.size(1));
  const at::NoGradGuard no_history;
  const int64_t count = rows_.size(0), width = rows_.size(1), classes = head_.size(0);
  const int64_t strips = strips_of(count), padded = strips * kStrip, blocks = (classes + block_ - 1) / block_;
  const at::TensorOptions numbers = at::TensorOptions().dtype(at::kFloat);
  const at::Tensor levels = at::empty({padded}, numbers), block_sums = at::empty({padded, blocks}, numbers);
  const at::Tensor sums = at::zeros({padded}, numbers), kept_sums = at::zeros({padded}, numbers);
  const RowSums found{levels.data_ptr<float>(), sums.data_ptr<float>(), kept_sums.data_ptr<float>(),
                      block_sums.data_ptr<float>(), blocks};
  const int64_t panels = strips_of(width), mean_numbers = with_means ? strips * panels * kSumsOfTiles : 0;
  const AlignedWords packed(packed_words(count, width)), means(mean_numbers);
  share_tasks(strips, [&](int64_t strip) {
    const int64_t each = panels * kSumsOfTiles;
    pack_strips(bf16_view(rows_), AmxSide::Left, strip, strip + 1, packed.get());
    if (with_means) std::fill_n(means.floats() + strip * each, each, 0.0F);
  });
  const int64_t together = std::max<int64_t>(1, kGroupNumbers / (block_ * width)) * block_;
  const AlignedWords forward(packed_words(std::min(together, strips_of(classes) * kStrip), width));
  const AlignedWords back(with_means ? together / block_ * panels * steps_of(block_) * kStepWords : 0);
  for (int64_t first = 0; first < classes; first += together) {
    const HeadGroup group{forward.get(), back.get(), first, std::min(together, classes - first), block_};
    lay_out(bf16_view(head_), group, forward.get(), with_means ? back.get() : nullptr);
    const int64_t each = std::clamp<int64_t>(strips / (kTasksEach * at::get_num_threads()), 1, kStripsTogether);
    share_tasks((strips + each - 1) / each, [&](int64_t task) {
      walk_strips(task * each, std::min(strips, (task + 1) * each), packed.get(), with_means ? means.floats() : nullptr,
                  width, group, found);
    });
  }
  levels_ = levels.narrow(0, 0, count);
  block_sums_ = block_sums.narrow(0, 0, count);
  log_sums_ = sums.narrow(0, 0, count).log().add_(levels_);
  if (!with_means) return;
  means_ = at::empty({count, width}, numbers);
  const float* divisors = ASSAY_TWIN("kernel.head_slope_by_the_other_sum") ? found.sums : found.kept_sums;
  put_means(means.floats(), count, width, divisors, means_.data_ptr<float>());
}

#else
AmxHead::AmxHead(const at::Tensor& rows, const at::Tensor& head, bool) : block_(0) {
  ASSAY_ASSERT(can_read(rows, head));
}
#endif

}  // namespace assay::kernel
