#include "assay/kernel/example_tiles.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <vector>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/kernel/bf16_adapter.h"
#include "assay/kernel/bf16_packing.h"
#include "assay/kernel/lanes.h"

namespace assay::kernel {
namespace {

constexpr int64_t kSide = 64, kTileSize = kSide * kSide;  // 16 KiB of float32
constexpr int64_t kFewTiles = 16;                         // below it examples go to tasks of their own, in groups
constexpr int64_t kCachedNumbers = 256 * 1024;            // a layer of which several D_i stay in the cache
constexpr int64_t kGroup = 16;                            // examples whose tiles meet the queries together: 256 KiB
constexpr int64_t kManyQueries = 8;                       // whose products with a tile are worth the micro-kernel

/// The operands of all examples as the micro-kernel wants them: left [B,O,depth], right [B,depth,M], or in pairs.
class TiledExamples {
 public:
  TiledExamples(const at::Tensor& g, const at::Tensor& a)
      : examples(g.size(0)),
        rows(g.size(2)),
        columns(a.size(2)),
        in_pairs_(g.scalar_type() == at::kBFloat16),
        depth_(in_pairs_ ? (g.size(1) + 1) / 2 * 2 : g.size(1)) {
    ASSAY_ASSERT(can_tile(g, a) && g.dim() == 3 && a.dim() == 3 && g.size(0) == a.size(0) && g.size(1) == a.size(1));
    if (in_pairs_) {
      pack(g.contiguous(), a.contiguous());
    } else {
      left_ = g.transpose(1, 2).contiguous();
      right_ = a.contiguous();
    }
  }

  const int64_t examples, rows, columns;
  [[nodiscard]] int64_t tiles_down() const { return (rows + kSide - 1) / kSide; }
  [[nodiscard]] int64_t tiles_across() const { return (columns + kSide - 1) / kSide; }
  [[nodiscard]] int64_t height(int64_t tile) const { return std::min(kSide, rows - tile / tiles_across() * kSide); }
  [[nodiscard]] int64_t width(int64_t tile) const { return std::min(kSide, columns - tile % tiles_across() * kSide); }

  /// The tile of D_i, rows of 64 numbers, of which width(tile) are written.
  void form(int64_t example, int64_t tile, float* to) const {
    const int64_t row = tile / tiles_across() * kSide, column = tile % tiles_across() * kSide;
    const int64_t left = (example * rows + row) * depth_, h = height(tile), w = width(tile);
    if (in_pairs_) {
      const int64_t right = (example * depth_ / 2 * columns + column) * 2;
      bf16_functions().tile(h, w, depth_, depth_, columns, kSide, false, left_.const_data_ptr<at::BFloat16>() + left,
                            right_.const_data_ptr<at::BFloat16>() + right, to, true);
    } else {
      const int64_t right = example * depth_ * columns + column;
      bf16_functions().tile_single(h, w, depth_, depth_, columns, kSide, false, left_.const_data_ptr<float>() + left,
                                   right_.const_data_ptr<float>() + right, to, false);
    }
  }
  void release() const { bf16_functions().release(in_pairs_); }

 private:
  void pack(const at::Tensor& g, const at::Tensor& a) {
    const int64_t positions = g.size(1);
    left_ = at::empty({examples, rows, depth_}, g.options());
    right_ = at::empty({examples, depth_, columns}, a.options());
    const auto words = [](const at::Tensor& x) { return reinterpret_cast<uint32_t*>(x.data_ptr<at::BFloat16>()); };
    const auto halves = [](const at::Tensor& x) {
      return reinterpret_cast<const uint16_t*>(x.const_data_ptr<at::BFloat16>());
    };
    at::parallel_for(0, examples, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const Bf16View gradients{halves(g) + i * positions * rows, positions, rows, rows, 1};
        const Bf16View inputs{halves(a) + i * positions * columns, positions, columns, columns, 1};
        pack_rows(gradients.transposed(), words(left_) + i * rows * depth_ / 2);
        pack_pairs(inputs, words(right_) + i * depth_ / 2 * columns);
      }
    });
  }

  bool in_pairs_;
  int64_t depth_;
  at::Tensor left_, right_;
};

// sum += tile², on `height` rows of `width` numbers.
struct SquareTile {
  template <int kBytes>
  static ASSAY_INLINE void run(const float* tile, int64_t height, int64_t width, float* sum, int64_t stride) {
    using L = Lanes<float, kBytes>;
    for (int64_t row = 0; row < height; ++row, tile += kSide, sum += stride) {
      by_lanes<L>(width, [&](int64_t i, auto count) ASSAY_INLINE_LAMBDA {
        L value, total;
        value.load(tile + i, count);
        total.load(sum + i, count);
        total.values += value.values * value.values;
        total.store(sum + i, count);
      });
    }
  }
};

// Σ tile · query, 64 x 64 numbers each: adds to `score`.
struct DotTile {
  template <int kBytes>
  static ASSAY_INLINE void run(const float* tile, const float* query, float* score) {
    using L = Lanes<float, kBytes>;
    constexpr int64_t kSums = 4;  // additions that do not wait for each other
    L sums[kSums];
    for (int64_t i = 0; i < kTileSize; i += kSums * L::kCount) {
      for (int64_t part = 0; part < kSums; ++part) {
        L value, other;
        value.load(tile + i + part * L::kCount, L::kCount);
        other.load(query + i + part * L::kCount, L::kCount);
        sums[part].values += value.values * other.values;
      }
    }
    sums[0].values = (sums[0].values + sums[1].values) + (sums[2].values + sums[3].values);
    *score += sums[0].sum();
  }
};

}  // namespace

bool can_tile(const at::Tensor& g, const at::Tensor& a) {
  if (!g.is_cpu() || !a.is_cpu() || g.scalar_type() != a.scalar_type()) return false;
  if (g.scalar_type() == at::kBFloat16) return bf16_functions().tile != nullptr;
  return g.scalar_type() == at::kFloat && bf16_functions().tile_single != nullptr;
}

bool avoids_whole_gradients(const at::Tensor& g, const at::Tensor& a, int64_t queries) {
  return can_tile(g, a) && g.size(2) * a.size(2) > kCachedNumbers && queries <= 2 * g.size(0);
}

bool tiles_pay(int64_t positions, int64_t queries) {
  constexpr int64_t kPassing = 22, kEachQuery = 7;  // measured, in multiply-adds of a large float32 product
  return positions + kPassing + kEachQuery * queries <= queries * positions;
}

void add_squares_by_tiles(const at::Tensor& sum, const at::Tensor& g, const at::Tensor& a) {
  const at::NoGradGuard no_history;
  if (g.numel() == 0 || a.numel() == 0) return;
  const TiledExamples batch(g.detach(), a.detach());
  ASSAY_ASSERT(sum.scalar_type() == at::kFloat && sum.size(0) == batch.rows && sum.size(1) == batch.columns &&
               sum.stride(1) == 1);
  const int64_t tiles = batch.tiles_down() * batch.tiles_across(), stride = sum.stride(0);
  float* total = sum.data_ptr<float>();
  const auto place_of = [&](int64_t tile) {
    return total + tile / batch.tiles_across() * kSide * stride + tile % batch.tiles_across() * kSide;
  };
  // Where tiles are few, groups of examples have sums of their own, which are then added in order.
  const int64_t groups = tiles < kFewTiles ? std::min(batch.examples, (kFewTiles + tiles - 1) / tiles) : 1;
  const int64_t each = (batch.examples + groups - 1) / groups;
  const at::Tensor partial = groups > 1 ? at::zeros({tiles * groups, kTileSize}, sum.options()) : at::Tensor();
  at::parallel_for(0, tiles * groups, 1, [&](int64_t begin, int64_t end) {
    alignas(64) float product[kTileSize];
    for (int64_t task = begin; task < end; ++task) {
      const int64_t tile = task / groups, first = task % groups * each;
      float* to = groups > 1 ? partial.data_ptr<float>() + task * kTileSize : place_of(tile);
      const int64_t to_stride = groups > 1 ? kSide : stride;
      const int64_t last =
          std::min(batch.examples, first + each) - (ASSAY_TWIN("kernel.tiles_drop_an_example") ? 1 : 0);
      for (int64_t i = first; i < last; ++i) {
        batch.form(i, tile, product);
        on_widest_lanes<SquareTile>(static_cast<const float*>(product), batch.height(tile), batch.width(tile), to,
                                    to_stride);
      }
    }
    batch.release();
  });
  for (int64_t task = 0; groups > 1 && task < tiles * groups; ++task) {
    const int64_t tile = task / groups;
    const float* from = partial.const_data_ptr<float>() + task * kTileSize;
    float* to = place_of(tile);
    for (int64_t row = 0; row < batch.height(tile); ++row) {
      for (int64_t i = 0; i < batch.width(tile); ++i) to[row * stride + i] += from[row * kSide + i];
    }
  }
}

QueryTiles::QueryTiles(const at::Tensor& queries)
    : queries_(queries.size(0)),
      rows_(queries.size(1)),
      columns_(queries.size(2)),
      side_by_side_(queries_ >= kManyQueries && bf16_functions().tile_single != nullptr) {
  const at::NoGradGuard no_history;
  const int64_t down = (rows_ + kSide - 1) / kSide, across = (columns_ + kSide - 1) / kSide;
  const at::Tensor given = queries.detach().to(at::kFloat);
  const at::Tensor u = given.stride(2) == 1 || columns_ == 1 ? given : given.contiguous();
  tiles_ = at::empty({down, across, queries_, kSide, kSide}, u.options());
  const auto* from = u.const_data_ptr<float>();
  auto* to = tiles_.data_ptr<float>();
  const int64_t query_stride = u.stride(0), row_stride = u.stride(1);
  at::parallel_for(0, down * across * queries_, 8, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t tile = task / queries_, query = task % queries_;
      const int64_t row = tile / across * kSide, column = tile % across * kSide;
      const int64_t height = std::min(kSide, rows_ - row), width = std::min(kSide, columns_ - column);
      const float* source = from + query * query_stride + row * row_stride + column;
      float* place = to + task * kTileSize;
      for (int64_t i = 0; i < height; ++i, place += kSide) {
        std::copy_n(source + i * row_stride, width, place);
        std::fill(place + width, place + kSide, 0.0F);
      }
      std::fill(place, to + (task + 1) * kTileSize, 0.0F);
    }
  });
  if (side_by_side_) tiles_ = tiles_.permute({0, 1, 3, 4, 2}).contiguous();
}

at::Tensor QueryTiles::dot(const at::Tensor& g, const at::Tensor& a) const {
  const at::NoGradGuard no_history;
  const at::Tensor scores = at::zeros({g.size(0), queries_}, tiles_.options());
  if (g.numel() == 0 || a.numel() == 0 || queries_ == 0) return scores.t();
  const TiledExamples batch(g.detach(), a.detach());
  ASSAY_ASSERT(batch.rows == rows_ && batch.columns == columns_);
  const int64_t tiles = batch.tiles_down() * batch.tiles_across();
  const int64_t groups = (batch.examples + kGroup - 1) / kGroup;
  // Each task takes some of the tiles for a group of examples and keeps its own sums; how many tiles, the shapes
  // decide.
  const int64_t shares = std::clamp<int64_t>(tiles / 8, 1, 64), each = (tiles + shares - 1) / shares;
  const at::Tensor partial = at::zeros({shares, batch.examples, queries_}, tiles_.options());
  at::parallel_for(0, shares * groups, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> products(static_cast<size_t>(kGroup * kTileSize), 0.0F);
    for (int64_t task = begin; task < end; ++task) {
      const int64_t share = task / groups, first = task % groups * kGroup;
      const int64_t count = std::min(kGroup, batch.examples - first);
      float* to = partial.data_ptr<float>() + (share * batch.examples + first) * queries_;
      for (int64_t tile = share * each; tile < std::min(tiles, (share + 1) * each); ++tile) {
        // What lies beyond the layer in a product is left from another tile, and meets zeros of the queries.
        for (int64_t i = 0; i < count; ++i) batch.form(first + i, tile, products.data() + i * kTileSize);
        multiply(tile, products.data(), count, to);
      }
    }
    batch.release();
    if (side_by_side_) bf16_functions().release(false);
  });
  const int64_t from = ASSAY_TWIN("kernel.tiles_drop_a_share") ? 1 : 0;
  for (int64_t share = from; share < shares; ++share)
    scores.add_(partial.select(0, share));  // in order, on any threads
  return scores.t();
}

void QueryTiles::multiply(int64_t tile, const float* products, int64_t count, float* scores) const {
  const float* queries = tiles_.const_data_ptr<float>() + tile * kTileSize * queries_;
  if (side_by_side_) {
    for (int64_t q = 0; q < queries_; q += kSide) {
      bf16_functions().tile_single(count, std::min(kSide, queries_ - q), kTileSize, kTileSize, queries_, queries_, true,
                                   products, queries + q, scores + q, false);
    }
    return;
  }
  for (int64_t q = 0; q < queries_; ++q) {
    for (int64_t i = 0; i < count; ++i) {
      on_widest_lanes<DotTile>(products + i * kTileSize, queries + q * kTileSize, scores + i * queries_ + q);
    }
  }
}

}  // namespace assay::kernel
