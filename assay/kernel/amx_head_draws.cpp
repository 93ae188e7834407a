#include <ATen/ops/empty.h>

#include <algorithm>
#include <vector>

#include "assay/core/philox.h"
#include "assay/kernel/aligned_words.h"
#include "assay/kernel/amx_head.h"
#include "assay/kernel/amx_packing.h"
#include "assay/kernel/amx_panel_exponentials.h"
#include "assay/kernel/shared_tasks.h"

namespace assay::kernel {
#if defined(__x86_64__)
namespace {

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
  StripSums found{};  // the sums are known
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
    for (size_t i = 0; i < kStrip; ++i) found.levels[i] = i < count ? levels[draws[first + i].row] * kLog2E : 0;
    for (int64_t panel = 0; panel < panels; ++panel) {
      const PanelExponentials of_panel(logits.floats() + panel * kSumsOfTiles, classes.rows - panel * kStrip,
                                       shares.get() + panel * kStepWords, found, steps);
      for (size_t i = 0; i < count; ++i) of_panel.of_row(static_cast<int64_t>(i));
    }
    for (size_t i = 0; i < count; ++i) {
      const DrawInBlock& draw = draws[first + i];
      const uint32_t* own = shares.get() + place_in_strip(static_cast<int64_t>(i), 0);
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
    draw_in_block(bf16_view(rows_), bf16_view(head_).block(first, 0, count, width), draws, first,
                  levels_.const_data_ptr<float>(), targets.data_ptr<int64_t>());
  });
  return targets;
}
#else
at::Tensor AmxHead::draw(uint64_t, const DrawKey*) const {
  return {};
}
#endif

}  // namespace assay::kernel
