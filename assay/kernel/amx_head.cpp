#include "assay/kernel/amx_head.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "assay/core/error.h"
#include "assay/core/philox.h"
#include "assay/core/twin.h"
#include "assay/kernel/aligned_words.h"
#include "assay/kernel/amx_packing.h"
#include "assay/kernel/lane_exponential.h"
#include "assay/kernel/shared_tasks.h"

namespace assay::kernel {
namespace {

constexpr int64_t kBlockNumbers = 256 * 1024;  // of the head, twice 512 KiB with both of its layouts
constexpr int64_t kMostClasses = 512, kFewestClasses = 128;
constexpr int64_t kGroupNumbers = 2 * 1024 * 1024;  // of the head, laid out at a time: 8 MiB
constexpr float kFarAbove = 60;                     // e^60 times a vocabulary is far below the largest float

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

Bf16View view_of(const at::Tensor& x) {  // [n,k], rows side by side
  return {reinterpret_cast<const uint16_t*>(x.const_data_ptr<at::BFloat16>()), x.size(0), x.size(1), x.stride(0), 1};
}

at::Tensor with_dense_rows(const at::Tensor& x) {
  return x.stride(1) == 1 && x.stride(0) >= x.size(1) ? x : x.contiguous();
}

/// What is known of each row so far.
struct RowSums {
  float *levels, *sums, *kept_sums;
  float* block_sums;  // [rows,blocks]
  int64_t blocks;
};

ASSAY_AMX ASSAY_INLINE float largest_logit(const float* logits, int64_t count) {
  const __m512 none = _mm512_set1_ps(-std::numeric_limits<float>::infinity());
  __m512 most = none;
  for (int64_t v = 0; v < count; v += 16) {
    const __m512 x = _mm512_mask_loadu_ps(none, first_lanes(count - v), logits + place_in_sums(0, v));
    most = _mm512_mask_mov_ps(most, _mm512_cmp_ps_mask(x, most, _CMP_GT_OQ), x);  // NaNs are passed over
  }
  return _mm512_reduce_max_ps(most);
}

/// e^(logit - level) of a row in bf16, one step of 32 classes after the other, zeros beyond them; adds to the sums.
ASSAY_AMX ASSAY_INLINE void exponentials_of_row(const float* logits, int64_t count, float level, uint32_t* to,
                                                float* sum, float* kept_sum) {
  __m512 sums = _mm512_setzero_ps(), kept_sums = _mm512_setzero_ps();
  for (int64_t v = 0; v < count; v += kStrip, logits += kSumsOfTiles, to += kStepWords) {
    Lanes<float, 64> first, second;
    first.values = _mm512_load_ps(logits) - level;
    second.values = _mm512_load_ps(logits + kTileWords) - level;
    exponentiate(first);
    exponentiate(second);
    const int64_t left = ASSAY_TWIN("kernel.amx_head_counts_what_fills_a_strip") ? kStrip : count - v;
    const __m512 low = _mm512_maskz_mov_ps(first_lanes(left), first.values);
    const __m512 high = _mm512_maskz_mov_ps(first_lanes(left - kTileRows), second.values);
    const auto kept = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
    _mm512_store_si512(to, kept);
    sums = _mm512_add_ps(sums, _mm512_add_ps(low, high));
    const __m512 even = _mm512_castsi512_ps(_mm512_slli_epi32(kept, 16));
    const __m512 odd = _mm512_castsi512_ps(_mm512_and_si512(kept, _mm512_set1_epi32(static_cast<int>(0xFFFF0000U))));
    kept_sums = _mm512_add_ps(kept_sums, _mm512_add_ps(even, odd));
  }
  *sum += _mm512_reduce_add_ps(sums);
  *kept_sum += _mm512_reduce_add_ps(kept_sums);
}

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

/// The level of a row for this block; what was summed at another one is scaled to it.
ASSAY_AMX float level_of_row(const HeadStrip& strip, const RowSums& sums, int64_t i, int64_t block, float largest) {
  const int64_t row = strip.first_row + i;
  const float least = -std::numeric_limits<float>::max();
  const float before = block == 0 ? least : sums.levels[row];
  const bool moves = block == 0 || largest > before + kFarAbove;
  if (!moves || (block > 0 && ASSAY_TWIN("kernel.softmax_level_never_moves"))) return before;
  sums.levels[row] = std::max(largest, least);
  if (block == 0) return sums.levels[row];
  const float share = std::exp(before - largest);
  sums.sums[row] *= share;
  sums.kept_sums[row] *= share;
  for (int64_t k = 0; k < block; ++k) sums.block_sums[row * sums.blocks + k] *= share;
  if (strip.means) scale_means(strip.means, strips_of(strip.width), i, share);
  return sums.levels[row];
}

ASSAY_AMX void walk_strip(const HeadStrip& strip, const HeadGroup& group, const RowSums& sums, float* logits,
                          uint32_t* shares) {
  const int64_t steps = steps_of(strip.width), panels = strips_of(strip.width), block_steps = steps_of(group.block);
  for (int64_t first = 0; first < group.classes; first += group.block) {
    const int64_t classes = std::min(group.block, group.classes - first);
    const uint32_t* forward = group.forward + first / kStrip * steps * kStepWords;
    for (int64_t panel = 0; panel < strips_of(classes); ++panel)
      multiply_tiles(strip.rows, forward + panel * steps * kStepWords, steps, false, logits + panel * kSumsOfTiles);
    const int64_t block = (group.first_class + first) / group.block;
    for (int64_t i = 0; i < kStrip; ++i) {
      const int64_t row = strip.first_row + i;
      const float* own = logits + row_of_tiles(i);
      const float level = level_of_row(strip, sums, i, block, largest_logit(own, classes));
      float kept = 0;
      exponentials_of_row(own, classes, level, shares + place_in_strip(i, 0), sums.sums + row, &kept);
      sums.block_sums[row * sums.blocks + block] = kept;
      sums.kept_sums[row] += kept;
    }
    if (strip.means == nullptr) continue;
    const uint32_t* back = group.back + first / group.block * panels * block_steps * kStepWords;
    for (int64_t panel = 0; panel < panels; ++panel)
      multiply_tiles(shares, back + panel * steps_of(classes) * kStepWords, steps_of(classes), true,
                     strip.means + panel * kSumsOfTiles);
  }
}

ASSAY_AMX void walk_strip_alone(int64_t strip, const uint32_t* rows, float* means, int64_t width,
                                const HeadGroup& group, const RowSums& sums) {
  const AmxTiles tiles;
  const AlignedWords logits(group.block * kStrip), shares(group.block * kStrip / 2);
  const int64_t strip_words = steps_of(width) * kStepWords, mean_numbers = strips_of(width) * kSumsOfTiles;
  float* own = means == nullptr ? nullptr : means + strip * mean_numbers;
  walk_strip({rows + strip * strip_words, own, strip * kStrip, width}, group, sums, logits.floats(), shares.get());
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

/// Rows that drew from one block: which they are, and what is to be passed there.
struct DrawInBlock {
  int64_t row;
  double before, level;
};

/// The label of each, from the logits of the block formed again.
ASSAY_AMX void draw_in_block(const Bf16View& rows, const Bf16View& classes, const std::vector<DrawInBlock>& draws,
                             int64_t first_class, const float* levels, int64_t* targets) {
  const AmxTiles tiles;
  const int64_t steps = steps_of(classes.columns), panels = strips_of(classes.rows);
  const AlignedWords head(packed_words(classes.rows, classes.columns)), strip(steps * kStepWords);
  const AlignedWords logits(panels * kSumsOfTiles), shares(panels * kStepWords);
  pack_strips(classes, AmxSide::Right, 0, panels, head.get());
  std::vector<uint16_t> chosen(static_cast<size_t>(kStrip * rows.columns));
  std::vector<float> row_shares(static_cast<size_t>(panels * kStrip));
  for (size_t first = 0; first < draws.size(); first += kStrip) {
    const size_t count = std::min<size_t>(kStrip, draws.size() - first);
    for (size_t i = 0; i < count; ++i)
      std::copy_n(rows.data + draws[first + i].row * rows.row_stride, rows.columns,
                  chosen.begin() + static_cast<std::ptrdiff_t>(i) * rows.columns);
    pack_strips({chosen.data(), static_cast<int64_t>(count), rows.columns, rows.columns, 1}, AmxSide::Left, 0, 1,
                strip.get());
    for (int64_t panel = 0; panel < panels; ++panel) {
      multiply_tiles(strip.get(), head.get() + panel * steps * kStepWords, steps, false,
                     logits.floats() + panel * kSumsOfTiles);
    }
    for (size_t i = 0; i < count; ++i) {
      const DrawInBlock& draw = draws[first + i];
      const int64_t place = row_of_tiles(static_cast<int64_t>(i));
      const uint32_t* own = shares.get();  // each row in the place of the first
      float sum = 0, kept = 0;
      exponentials_of_row(logits.floats() + place, classes.rows, levels[draw.row], shares.get(), &sum, &kept);
      for (int64_t v = 0; v < classes.rows; v += 2) {
        const uint32_t pair = own[v / kStrip * kStepWords + v % kStrip / 2];
        const uint32_t words[] = {pair << 16, pair & 0xFFFF0000U};
        __builtin_memcpy(row_shares.data() + v, words, sizeof(words));
      }
      targets[draw.row] = first_class + class_at(row_shares.data(), 0, classes.rows, draw.before, draw.level);
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
    pack_strips(view_of(rows_), AmxSide::Left, strip, strip + 1, packed.get());
    if (with_means) std::fill_n(means.floats() + strip * each, each, 0.0F);
  });
  const int64_t together = std::max<int64_t>(1, kGroupNumbers / (block_ * width)) * block_;
  const AlignedWords forward(packed_words(std::min(together, strips_of(classes) * kStrip), width));
  const AlignedWords back(with_means ? together / block_ * panels * steps_of(block_) * kStepWords : 0);
  for (int64_t first = 0; first < classes; first += together) {
    const HeadGroup group{forward.get(), back.get(), first, std::min(together, classes - first), block_};
    lay_out(view_of(head_), group, forward.get(), with_means ? back.get() : nullptr);
    share_tasks(strips, [&](int64_t strip) {
      walk_strip_alone(strip, packed.get(), with_means ? means.floats() : nullptr, width, group, found);
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

at::Tensor AmxHead::draw(uint64_t seed, const DrawKey* keys) const {
  at::Tensor targets = at::empty({rows()}, at::kLong);
  const int64_t blocks = block_sums_.size(1), width = head_.size(1);
  std::vector<std::vector<DrawInBlock>> of_block(static_cast<size_t>(blocks));
  std::vector<double> sums(static_cast<size_t>(blocks));
  for (int64_t row = 0; row < rows(); ++row) {
    std::copy_n(block_sums_.const_data_ptr<float>() + row * blocks, blocks, sums.begin());
    const DrawnPiece drawn = drawn_piece(sums, random_uniform(seed, keys[row].stream, keys[row].index));
    of_block[static_cast<size_t>(drawn.piece)].push_back({row, drawn.before, drawn.level});
  }
  share_tasks(blocks, [&](int64_t block) {
    const auto& draws = of_block[static_cast<size_t>(block)];
    const int64_t first = block * block_, count = std::min(block_, head_.size(0) - first);
    if (draws.empty()) return;
    draw_in_block(view_of(rows_), view_of(head_).block(first, 0, count, width), draws, first,
                  levels_.const_data_ptr<float>(), targets.data_ptr<int64_t>());
  });
  return targets;
}
#else
AmxHead::AmxHead(const at::Tensor& rows, const at::Tensor& head, bool) : block_(0) {
  ASSAY_ASSERT(can_read(rows, head));
}
at::Tensor AmxHead::draw(uint64_t, const DrawKey*) const {
  return {};
}
#endif

}  // namespace assay::kernel
