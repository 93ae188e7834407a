#include "assay/kernel/bf16_product.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>

#include <algorithm>
#include <vector>

#include "assay/core/error.h"
#include "assay/core/machine.h"
#include "assay/core/twin.h"
#include "assay/kernel/amx_product.h"
#include "assay/kernel/amx_tiles.h"
#include "assay/kernel/bf16_adapter.h"
#include "assay/kernel/bf16_packing.h"
#include "assay/kernel/bf16_rounding.h"

namespace assay::kernel {
namespace {

constexpr int64_t kTile = 64;      // rows and columns of a tile of the result: 16 KiB
constexpr int64_t kDepth = 512;    // of a block at most: 64 KiB of each operand
constexpr int64_t kTasksEach = 4;  // tasks for a thread, so that the last one does not wait long
constexpr int64_t kPackGrain = 8;  // panels of 64 columns that are worth another thread

/// As bf16, rows or columns side by side.
at::Tensor rounded(const at::Tensor& x) {
  ASSAY_ASSERT(x.dim() == 2 && x.is_cpu() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16));
  const at::Tensor numbers = to_bf16(x);
  const auto is_dense = [&](int64_t along) {
    return numbers.stride(along) == 1 && numbers.stride(1 - along) >= numbers.size(along);
  };
  return is_dense(1) || is_dense(0) ? numbers : numbers.contiguous();
}

const at::BFloat16* numbers_of(const uint32_t* words) {
  return reinterpret_cast<const at::BFloat16*>(words);
}

/// Depths of equal blocks, even, and how many.
struct DepthBlocks {
  int64_t each, count;
  explicit DepthBlocks(int64_t depth) {
    count = std::max<int64_t>(1, (depth + kDepth - 1) / kDepth);
    each = ((depth + count - 1) / count + 31) / 32 * 32;
    count = (depth + each - 1) / each;
  }
};

void by_tiles(const Bf16View& a, const Bf16View& b, bool add, const at::Tensor& sum) {
  const Bf16Functions& functions = bf16_functions();
  const int64_t rows = a.rows, columns = b.columns, depth = a.columns, words = (depth + 1) / 2;
  const DepthBlocks blocks(depth);
  const int64_t panels = (columns + kTile - 1) / kTile, strips = (rows + kTile - 1) / kTile;
  const at::TensorOptions options = at::TensorOptions().dtype(at::kInt);
  // Panels of 64 columns, one after the other, each [words,width].
  const at::Tensor packed = at::empty({words * columns}, options);
  auto* pairs = reinterpret_cast<uint32_t*>(packed.data_ptr<int>());
  at::parallel_for(0, panels, kPackGrain, [&](int64_t begin, int64_t end) {
    for (int64_t panel = begin; panel < end; ++panel) {
      const int64_t first = panel * kTile, width = std::min(kTile, columns - first);
      pack_pairs(b.block(0, first, depth, width), pairs + words * first);
    }
  });
  // A task is a strip of 64 rows and some of the panels.
  const int64_t wanted = kTasksEach * at::get_num_threads();
  const int64_t shares = std::clamp<int64_t>((wanted + strips - 1) / strips, 1, panels);
  const int64_t share = (panels + shares - 1) / shares;
  const bool packs_rows = !a.has_rows() || depth % 2 != 0;
  float* result = sum.data_ptr<float>();
  const int64_t stride = sum.stride(0);
  at::parallel_for(0, strips * shares, 1, [&](int64_t begin, int64_t end) {
    std::vector<uint32_t> strip(packs_rows ? static_cast<size_t>(kTile * words) : 0);
    int64_t packed_strip = -1;
    for (int64_t task = begin; task < end; ++task) {
      const int64_t row = task / shares * kTile, height = std::min(kTile, rows - row);
      if (packs_rows && packed_strip != row) {
        pack_rows(a.block(row, 0, height, depth), strip.data());
        packed_strip = row;
      }
      const at::BFloat16* left =
          packs_rows ? numbers_of(strip.data()) : reinterpret_cast<const at::BFloat16*>(a.data + row * a.row_stride);
      const int64_t left_stride = packs_rows ? 2 * words : a.row_stride;
      const int64_t last_panel = std::min(panels, (task % shares + 1) * share);
      for (int64_t panel = task % shares * share; panel < last_panel; ++panel) {
        const int64_t first = panel * kTile, width = std::min(kTile, columns - first);
        for (int64_t block = 0; block < blocks.count; ++block) {
          const int64_t from = block * blocks.each, deep = std::min(blocks.each, 2 * words - from);
          functions.tile(height, width, deep, left_stride, width, stride, add || block > 0, left + from,
                         numbers_of(pairs + words * first + from / 2 * width), result + row * stride + first, true);
        }
      }
    }
    functions.release(true);
  });
}

/// sum = a · b, or added to it or to `start` in each row.
void multiply(const at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, bool add, Bf16Path path,
              const at::Tensor& start = {}) {
  const at::NoGradGuard no_history;
  ASSAY_ASSERT(a.dim() == 2 && b.dim() == 2 && a.size(1) == b.size(0) && sum.dim() == 2);
  ASSAY_ASSERT(sum.size(0) == a.size(0) && sum.size(1) == b.size(1) && sum.scalar_type() == at::kFloat);
  ASSAY_ASSERT(sum.stride(1) == 1 || sum.size(1) == 1);
  const at::Tensor left = rounded(a), right = rounded(b);
  const bool starts_there = path == Bf16Path::Amx && sum.numel() > 0 && a.size(1) > 0;
  if (path == Bf16Path::Plain || sum.numel() == 0 || a.size(1) == 0) {
    const at::Tensor product = at::mm(left.to(at::kFloat), right.to(at::kFloat));
    add ? sum.add_(product) : sum.copy_(product);
  } else {
    ASSAY_ASSERT(can_take(path));
    const Bf16View l = bf16_view(left), r = bf16_view(right);
    if (path == Bf16Path::Amx) {
      const at::Tensor row = start.defined() ? start.to(at::kFloat).contiguous() : at::Tensor();
      amx_product(l, r,
                  {.data = sum.data_ptr<float>(),
                   .stride = sum.stride(0),
                   .add = add,
                   .start = row.defined() ? row.const_data_ptr<float>() : nullptr});
    } else {
      by_tiles(l, r, add, sum);
    }
  }
  if (start.defined() && !starts_there) sum.add_(start);
  if (ASSAY_TWIN("kernel.bf16_result_rounded")) sum.copy_(sum.to(at::kBFloat16));
}

}  // namespace

bool can_take(Bf16Path path) {
  switch (path) {
    case Bf16Path::Amx: return has_amx();
    case Bf16Path::Tiles: return bf16_functions().tile != nullptr;
    default: return true;
  }
}

Bf16Path bf16_path() {
  static const Processor machine = processor();
  if (can_take(Bf16Path::Amx)) return Bf16Path::Amx;
  if ((machine.has_amx_bf16 || machine.has_avx512_bf16) && can_take(Bf16Path::Tiles)) return Bf16Path::Tiles;
  return Bf16Path::Plain;
}

const char* to_string(Bf16Path path) {
  switch (path) {
    case Bf16Path::Amx: return "AMX";
    case Bf16Path::Tiles: return "tiles of oneDNN";
    default: return "float32";
  }
}

at::Tensor bf16_product(const at::Tensor& a, const at::Tensor& b, const at::Tensor& start) {
  return bf16_product(a, b, bf16_path(), start);
}

at::Tensor bf16_product(const at::Tensor& a, const at::Tensor& b, Bf16Path path, const at::Tensor& start) {
  std::vector<int64_t> shape = a.sizes().vec();
  shape.back() = b.size(1);
  const at::Tensor rows = a.dim() == 2 ? a : a.reshape({-1, a.size(-1)});
  const at::Tensor result = at::empty({rows.size(0), b.size(1)}, at::TensorOptions().dtype(at::kFloat));
  multiply(result, rows, b, /*add=*/false, path, start);
  return result.view(shape);
}

void put_bf16_product(const at::Tensor& result, const at::Tensor& a, const at::Tensor& b) {
  multiply(result, a, b, /*add=*/false, bf16_path());
}

void add_bf16_product(const at::Tensor& sum, const at::Tensor& a, const at::Tensor& b) {
  add_bf16_product(sum, a, b, bf16_path());
}

void add_bf16_product(const at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, Bf16Path path) {
  multiply(sum, a, b, /*add=*/true, path);
}

}  // namespace assay::kernel
