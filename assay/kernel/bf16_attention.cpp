#include "assay/kernel/bf16_attention.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/kernel/autograd_node.h"
#include "assay/kernel/bf16_adapter.h"
#include "assay/kernel/bf16_product.h"
#include "assay/kernel/softmax_row.h"

namespace assay::kernel {
namespace {

constexpr int64_t kQueryRows = 128;  // of a block: the scores with 256 keys stay in a core's L2
constexpr int64_t kFewQueries = 8;   // below this the products are too small to gain

using Bf16Number = at::BFloat16;

// Probabilities of a row again, and d(loss)/d(scores) from d(loss)/d(probabilities).
struct SlopeRow {
  template <int kBytes>
  static ASSAY_INLINE void run(float* scores, const float* slopes, int64_t count, float scale, float log_sum,
                               bool centers, Bf16Number* pattern, Bf16Number* to) {
    using L = Lanes<float, kBytes>;
    L sums{};
    by_lanes<L>(count, [&](int64_t i, auto lanes) ASSAY_INLINE_LAMBDA {
      L x, slope;
      x.load(scores + i, lanes);
      slope.load(slopes + i, lanes);  // zeros beyond the row
      x.values = x.values * scale - log_sum;
      exponentiate(x);
      x.store(scores + i, lanes);
      store_rounded(x, pattern + i, lanes);
      sums.values += x.values * slope.values;
    });
    const float mean = centers ? sums.sum() : 0;
    by_lanes<L>(count, [&](int64_t i, auto lanes) ASSAY_INLINE_LAMBDA {
      L x, slope;
      x.load(scores + i, lanes);
      slope.load(slopes + i, lanes);
      x.values = x.values * (slope.values - mean) * scale;
      store_rounded(x, to + i, lanes);
    });
  }
};

// [B,T,H,K] in memory, seen head by head.
template <typename Number>
struct HeadsView {
  Number* data;
  int64_t batch_stride, row_stride, width;
  explicit HeadsView(const at::Tensor& x)  // contiguous [B,T,H,K]
      : data(static_cast<Number*>(x.data_ptr())),
        batch_stride(x.stride(0)),
        row_stride(x.stride(1)),
        width(x.size(3)) {}
  [[nodiscard]] Number* at(int64_t example, int64_t row, int64_t head) const {
    return data + example * batch_stride + row * row_stride + head * width;
  }
};

struct AttentionSizes {
  int64_t examples, heads, groups, queries, keys, width;
  float scale;
  int64_t window;
  const int64_t* first;  // or null

  /// Keys that the query at place t sees: [begin, t].
  [[nodiscard]] int64_t begin(int64_t example, int64_t t) const {
    const int64_t padding = first ? std::min(first[example], t) : 0;
    return std::max(padding, window > 0 ? t - window + 1 : 0);
  }
};

struct AttentionBlock {
  int64_t row, rows;    // of the queries
  int64_t from, count;  // of the keys that any of them sees
};

/// What a thread needs to itself.
struct AttentionScratch {
  std::vector<float> scores, slopes;
  std::vector<Bf16Number> pattern, changes;
  AttentionScratch(int64_t keys, bool backward)
      : scores(static_cast<size_t>(kQueryRows * keys)),
        slopes(backward ? scores.size() : 0),
        pattern(scores.size()),
        changes(slopes.size()) {}
};

int as_int(int64_t value) {
  return static_cast<int>(value);
}

/// c [m,n] (+)= a·b; a [m,k] or its transpose [k,m], b likewise.
void multiply_heads(bool a_turned, bool b_turned, int64_t m, int64_t n, int64_t k, const Bf16Number* a, int64_t lda,
                    const Bf16Number* b, int64_t ldb, bool add, float* c, int64_t ldc) {
  bf16_functions().gemm(101, a_turned ? 112 : 111, b_turned ? 112 : 111, as_int(m), as_int(n), as_int(k), 1.0F, a,
                        as_int(lda), b, as_int(ldb), add ? 1.0F : 0.0F, c, as_int(ldc));
}

template <class Work>
void each_block(const AttentionSizes& sizes, bool backward, const Work& work) {
  at::parallel_for(0, sizes.examples * sizes.groups, 1, [&](int64_t begin, int64_t end) {
    AttentionScratch scratch(sizes.keys, backward);
    for (int64_t place = begin; place < end; ++place) {
      const int64_t example = place / sizes.groups, group = place % sizes.groups, each = sizes.heads / sizes.groups;
      for (int64_t head = group * each; head < (group + 1) * each; ++head) {
        for (int64_t row = 0; row < sizes.queries; row += kQueryRows) {
          const int64_t rows = std::min(kQueryRows, sizes.queries - row), t = sizes.keys - sizes.queries + row;
          const int64_t from = std::min(sizes.begin(example, t), t);
          work(example, group, head, AttentionBlock{row, rows, from, t + rows - from}, scratch);
        }
      }
    }
  });
}

struct Bf16Attention {
  AttentionSizes sizes;
  at::Tensor q, k, v, first;  // bf16 [B,T,H,K], [B,S,H_kv,K]
  at::Tensor log_sums;        // float32 [B,H,T]

  at::Tensor forward() const {
    const at::Tensor z = at::empty(q.sizes(), at::TensorOptions().dtype(at::kFloat));
    const HeadsView<Bf16Number> Q(q), K(k), V(v);
    const HeadsView<float> Z(z);
    each_block(sizes, false, [&](int64_t b, int64_t g, int64_t h, const AttentionBlock& block, AttentionScratch& own) {
      scores_of(Q, K, b, g, h, block, own);
      float* sums = log_sums.data_ptr<float>() + (b * sizes.heads + h) * sizes.queries + block.row;
      each_row(b, block, own, [&](int64_t row, int64_t, int64_t count, int64_t place) {
        float* scores = own.scores.data() + place;
        on_widest_lanes<SoftmaxRow>(static_cast<const float*>(scores), count, sizes.scale, scores,
                                    own.pattern.data() + place, sums + row);
      });
      multiply_heads(false, false, block.rows, sizes.width, block.count, own.pattern.data(), block.count,
                     V.at(b, block.from, g), V.row_stride, false, Z.at(b, block.row, h), Z.row_stride);
    });
    return z;
  }

  std::vector<at::Tensor> backward(const at::Tensor& gradient) const {
    const at::TensorOptions options = at::TensorOptions().dtype(at::kFloat);
    const at::Tensor dz = gradient.transpose(1, 2).to(at::kBFloat16).contiguous();
    const at::Tensor dq = at::empty(q.sizes(), options), dk = at::zeros(k.sizes(), options),
                     dv = at::zeros(v.sizes(), options);
    const HeadsView<Bf16Number> Q(q), K(k), V(v), DZ(dz);
    const HeadsView<float> DQ(dq), DK(dk), DV(dv);
    const bool centers = !ASSAY_TWIN("kernel.bf16_attention_slope_not_centred");
    each_block(sizes, true, [&](int64_t b, int64_t g, int64_t h, const AttentionBlock& block, AttentionScratch& own) {
      scores_of(Q, K, b, g, h, block, own);
      multiply_heads(false, true, block.rows, block.count, sizes.width, DZ.at(b, block.row, h), DZ.row_stride,
                     V.at(b, block.from, g), V.row_stride, false, own.slopes.data(), block.count);
      const float* sums = log_sums.const_data_ptr<float>() + (b * sizes.heads + h) * sizes.queries + block.row;
      each_row(b, block, own, [&](int64_t row, int64_t begin, int64_t count, int64_t place) {
        const int64_t start = row * block.count;
        std::fill(own.changes.begin() + start, own.changes.begin() + start + begin, Bf16Number(0.0F));
        std::fill(own.changes.begin() + start + begin + count, own.changes.begin() + start + block.count,
                  Bf16Number(0.0F));
        on_widest_lanes<SlopeRow>(own.scores.data() + place, static_cast<const float*>(own.slopes.data() + place),
                                  count, sizes.scale, sums[row], centers, own.pattern.data() + place,
                                  own.changes.data() + place);
      });
      multiply_heads(false, false, block.rows, sizes.width, block.count, own.changes.data(), block.count,
                     K.at(b, block.from, g), K.row_stride, false, DQ.at(b, block.row, h), DQ.row_stride);
      multiply_heads(true, false, block.count, sizes.width, block.rows, own.changes.data(), block.count,
                     Q.at(b, block.row, h), Q.row_stride, true, DK.at(b, block.from, g), DK.row_stride);
      multiply_heads(true, false, block.count, sizes.width, block.rows, own.pattern.data(), block.count,
                     DZ.at(b, block.row, h), DZ.row_stride, true, DV.at(b, block.from, g), DV.row_stride);
    });
    return {dq.transpose(1, 2), dk.transpose(1, 2), dv.transpose(1, 2)};
  }

 private:
  void scores_of(const HeadsView<Bf16Number>& Q, const HeadsView<Bf16Number>& K, int64_t b, int64_t g, int64_t h,
                 const AttentionBlock& block, AttentionScratch& own) const {
    multiply_heads(false, true, block.rows, block.count, sizes.width, Q.at(b, block.row, h), Q.row_stride,
                   K.at(b, block.from, g), K.row_stride, false, own.scores.data(), block.count);
  }

  /// work(row, first key it sees, how many, their place in the block); what it does not see is no part of the pattern.
  template <class Work>
  void each_row(int64_t example, const AttentionBlock& block, AttentionScratch& own, const Work& work) const {
    for (int64_t row = 0; row < block.rows; ++row) {
      const int64_t t = sizes.keys - sizes.queries + block.row + row;
      const int64_t begin = sizes.begin(example, t) - block.from, end = t + 1 - block.from;
      const auto start = own.pattern.begin() + row * block.count;
      std::fill(start, start + begin, Bf16Number(0.0F));
      std::fill(start + end, start + block.count, Bf16Number(0.0F));
      work(row, begin, end - begin, row * block.count + begin);
    }
  }
};

}  // namespace

bool is_bf16_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const auto fits = [](const at::Tensor& x) { return x.is_cpu() && x.scalar_type() == at::kFloat && x.numel() > 0; };
  return fits(q) && fits(k) && fits(v) && q.size(2) >= kFewQueries && bf16_path() == Bf16Path::Amx;
}

at::Tensor bf16_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const AttentionRule& rule) {
  Bf16Attention run;
  at::Tensor z;
  {
    const at::NoGradGuard no_history;
    const auto rounded = [](const at::Tensor& x) { return x.detach().transpose(1, 2).to(at::kBFloat16).contiguous(); };
    run.q = rounded(q);
    run.k = rounded(k);
    run.v = rounded(v);
    if (rule.first.defined()) run.first = rule.first.contiguous();
    run.sizes = {.examples = q.size(0),
                 .heads = q.size(1),
                 .groups = k.size(1),
                 .queries = q.size(2),
                 .keys = k.size(2),
                 .width = q.size(3),
                 .scale = static_cast<float>(rule.scale),
                 .window = rule.window,
                 .first = run.first.defined() ? run.first.const_data_ptr<int64_t>() : nullptr};
    run.log_sums = at::empty({q.size(0), q.size(1), q.size(2)}, at::TensorOptions().dtype(at::kFloat));
    z = run.forward().transpose(1, 2);
  }
  return attach_backward(z, {q, k, v}, [run](const at::Tensor& gradient) {
    const at::NoGradGuard no_history;
    return run.backward(gradient);
  });
}

}  // namespace assay::kernel
