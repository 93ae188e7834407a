#include "assay/kernel/drawn_targets.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <iterator>
#include <numeric>

#include "assay/core/philox.h"
#include "assay/core/twin.h"

namespace assay::kernel {
namespace {

constexpr int64_t kPiece = 512;  // classes whose sum is taken at once

template <typename Number>
double sum_of(const Number* numbers, int64_t count) {
  constexpr int64_t kSums = 8;  // so that none waits for the one before it
  double sums[kSums] = {};
  int64_t v = 0;
  for (; v + kSums <= count; v += kSums) {
    for (int64_t i = 0; i < kSums; ++i) sums[i] += static_cast<double>(numbers[v + i]);
  }
  for (; v < count; ++v) sums[0] += static_cast<double>(numbers[v]);
  return std::accumulate(std::begin(sums), std::end(sums), 0.0);
}

template <typename Number>
void draw_rows(const at::Tensor& shares, uint64_t seed, const DrawKey* keys, int64_t* targets) {
  const int64_t rows = shares.size(0), classes = shares.size(1);
  const Number* data = shares.const_data_ptr<Number>();
  at::parallel_for(0, rows, 8, [&](int64_t begin, int64_t end) {
    std::vector<double> sums;
    for (int64_t row = begin; row < end; ++row) {
      const Number* own = data + row * classes;
      sums.clear();
      for (int64_t first = 0; first < classes; first += kPiece)
        sums.push_back(sum_of(own + first, std::min(kPiece, classes - first)));
      const DrawnPiece drawn = drawn_piece(sums, random_uniform(seed, keys[row].stream, keys[row].index));
      targets[row] = class_at(own, drawn.piece * kPiece, classes, drawn.before, drawn.level);
    }
  });
}

}  // namespace

DrawnPiece drawn_piece(const std::vector<double>& sums, double uniform) {
  const size_t pieces = ASSAY_TWIN("kernel.drawn_from_the_first_piece") ? 1 : sums.size();
  DrawnPiece drawn;
  drawn.level = uniform * std::accumulate(sums.begin(), sums.begin() + static_cast<std::ptrdiff_t>(pieces), 0.0);
  for (size_t i = 0; i + 1 < pieces && drawn.before + sums[i] <= drawn.level; ++i, ++drawn.piece)
    drawn.before += sums[i];
  return drawn;
}

at::Tensor HeldShares::draw(uint64_t seed, const DrawKey* keys) const {
  at::Tensor targets = at::empty({rows()}, at::kLong);
  const at::Tensor shares = shares_.contiguous();
  const auto draw = shares.scalar_type() == at::kDouble     ? draw_rows<double>
                    : shares.scalar_type() == at::kBFloat16 ? draw_rows<at::BFloat16>
                                                            : draw_rows<float>;
  draw(shares, seed, keys, targets.data_ptr<int64_t>());
  return targets;
}

}  // namespace assay::kernel
