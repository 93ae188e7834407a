#include "assay/kernel/product_sums.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "assay/core/twin.h"
#include "assay/kernel/example_tiles.h"
#include "assay/kernel/lanes.h"
#include "assay/kernel/narrow_gram.h"
#include "assay/kernel/products.h"

namespace assay::kernel {
namespace {

constexpr int64_t kTileNumbers = 128 * 1024;   // half a mebibyte of float32: a tile and its sums fit into a core's L2
constexpr int64_t kSmallNumbers = 256 * 1024;  // a layer of which several D_i stay in the cache
constexpr int64_t kGramBlock = 192;            // narrower blocks save more and multiply slower

constexpr int64_t kGramRows = 256;  // worth another thread

void add_by_tiles(const at::Tensor& sum, const at::Tensor& g, const at::Tensor& a) {
  const int64_t rows = g.size(2), columns = a.size(2);
  const int64_t height = std::clamp<int64_t>(kTileNumbers / columns, 16, rows);
  const int64_t tiles = (rows + height - 1) / height;
  at::parallel_for(0, tiles, 1, [&](int64_t begin, int64_t end) {
    const at::NoGradGuard no_history;  // the guard belongs to a thread
    at::Tensor tile = at::empty({height, columns}, sum.options());
    for (int64_t place = begin; place < end; ++place) {
      const int64_t first = place * height, count = std::min(height, rows - first);
      at::Tensor square = tile.narrow(0, 0, count);
      at::Tensor total = sum.narrow(0, first, count);
      for (int64_t i = 0; i < g.size(0); ++i) {
        put_product(square, g.select(0, i).narrow(1, first, count).t(), a.select(0, i));
        total.addcmul_(square, square);
      }
    }
  });
}

// Each thread's part of the rows into sums of its own, which are added in the order of the parts.
void add_narrow_gram(const at::Tensor& sum, const at::Tensor& a) {
  const int64_t rows = a.size(0), width = a.size(1);
  const int64_t threads = at::in_parallel_region() ? 1 : at::get_num_threads();
  const int64_t parts = std::clamp<int64_t>(rows / kGramRows, 1, threads);
  const at::Tensor partial = parts > 1 ? at::zeros({parts, width, width}, sum.options()) : sum.unsqueeze(0);
  const float* from = a.const_data_ptr<float>();
  float* to = partial.mutable_data_ptr<float>();
  const int64_t a_stride = a.stride(0), part_stride = partial.stride(0), stride = partial.stride(1);
  const int64_t skipped = ASSAY_TWIN("kernel.gram_without_diagonal") ? kGramNarrowest : 0;
  at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      on_widest_lanes<NarrowGram>(from, a_stride, width, rows * part / parts, rows * (part + 1) / parts, skipped,
                                  to + part * part_stride, stride);
    }
  });
  for (int64_t part = 0; parts > 1 && part < parts; ++part) sum.add_(partial.select(0, part));
}

}  // namespace

void add_squared_products(const at::Tensor& sum, const at::Tensor& g, const at::Tensor& a) {
  const at::NoGradGuard no_history;
  if (ASSAY_TWIN("kernel.squares_of_positions")) {
    sum.add_(product(g.square().flatten(0, 1).t(), a.square().flatten(0, 1)));
    return;
  }
  const int64_t numbers = sum.numel();
  const bool is_half = g.scalar_type() == at::kBFloat16;
  if ((is_half || numbers > kSmallNumbers) && sum.scalar_type() == at::kFloat && sum.stride(1) == 1 && can_tile(g, a))
    return add_squares_by_tiles(sum, g, a);
  if (numbers > kSmallNumbers) return add_by_tiles(sum, g, a);
  const int64_t at_once = std::max<int64_t>(1, 4 * kSmallNumbers / numbers);
  for (int64_t first = 0; first < g.size(0); first += at_once) {
    const int64_t count = std::min(at_once, g.size(0) - first);
    at::Tensor products = batched_product(g.narrow(0, first, count).transpose(1, 2), a.narrow(0, first, count));
    sum.add_(products.square_().sum(0));
  }
}

void add_gram(const at::Tensor& sum, const at::Tensor& a) {
  const at::NoGradGuard no_history;
  if (is_narrow_gram(sum, a)) return add_narrow_gram(sum, a);
  const int64_t width = a.size(1);
  const at::Tensor transposed = a.t();
  for (int64_t first = 0; first < width; first += kGramBlock) {
    const int64_t count = std::min(kGramBlock, width - first);
    const int64_t from = ASSAY_TWIN("kernel.gram_without_diagonal") ? first + count : first;
    if (from >= width) break;
    add_product(sum.narrow(0, first, count).narrow(1, from, width - from), transposed.narrow(0, first, count),
                a.narrow(1, from, width - from));
  }
}

at::Tensor mirrored(const at::Tensor& sum) {
  return sum.triu().add(sum.triu(1).t());
}

}  // namespace assay::kernel
