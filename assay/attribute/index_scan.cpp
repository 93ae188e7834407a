#include "assay/attribute/index_scan.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/kernel/row_products.h"
#include "assay/math/strongest.h"

namespace assay::attribute {
namespace {

using math::Strongest;

constexpr size_t kBlocksVerified = 16;

// Columns [begin, end) of neighbouring layers: one product for all of them.
struct ColumnRange {
  int64_t begin = 0, end = 0;
  size_t first_layer = 0;
};

std::vector<ColumnRange> ranges_of(const std::vector<size_t>& layers, const RowLayout& layout) {
  std::vector<ColumnRange> ranges;
  for (const size_t layer : layers) {
    if (ranges.empty() || ranges.back().end != layout[layer]) ranges.push_back({layout[layer], layout[layer], layer});
    ranges.back().end = layout[layer + 1];
  }
  return ranges;
}

// One block, ready to be multiplied: a few directions take its rows as they are stored, many take them widened once.
class BlockProducts {
 public:
  BlockProducts(const StoredRows& stored, const RowLayout& layout) : stored_(stored), layout_(layout) {}

  /// directions [Q,K] in some of its layers: [Q,n].
  at::Tensor operator()(const at::Tensor& directions, const std::vector<size_t>& layers) {
    const bool is_few = directions.size(0) <= kernel::kFewVectors && directions.scalar_type() == at::kFloat &&
                        stored_.numbers.scalar_type() != at::kDouble;
    if (!is_few && !decoded_.defined()) decoded_ = decode_rows(stored_, layout_, directions.scalar_type());
    at::Tensor total;
    for (const ColumnRange& range : ranges_of(layers, layout_)) {
      const int64_t count = range.end - range.begin;
      const at::Tensor u = directions.narrow(1, range.begin, count);
      if (is_few) {
        const at::Tensor part = few(u, range);
        total = total.defined() ? total.add_(part) : part;
      } else {
        const at::Tensor z = decoded_.narrow(1, range.begin, count).t();
        total = total.defined() ? total.addmm_(u, z) : at::mm(u, z);
      }
    }
    return total;
  }

 private:
  at::Tensor few(const at::Tensor& u, const ColumnRange& range) const {
    const at::Tensor numbers = stored_.numbers.narrow(1, range.begin, range.end - range.begin);
    if (!stored_.scales.defined()) return kernel::products_with_rows(u, numbers);
    std::vector<int64_t> ends;
    for (size_t layer = range.first_layer; ends.empty() || ends.back() < range.end - range.begin; ++layer)
      ends.push_back(layout_[layer + 1] - range.begin);
    const at::Tensor scales = stored_.scales.narrow(1, static_cast<int64_t>(range.first_layer), std::ssize(ends));
    return kernel::products_with_rows(u, numbers, scales, ends);
  }

  const StoredRows& stored_;
  const RowLayout& layout_;
  at::Tensor decoded_;
};

// A heap for each question.
class Heaps {
 public:
  Heaps(int64_t queries, int64_t count, bool largest)
      : heaps_(static_cast<size_t>(queries), Strongest(count, largest)) {}

  void add(const at::Tensor& scores, int64_t first_row) {
    const at::Tensor values = scores.contiguous();
    if (values.scalar_type() == at::kDouble) return add_typed<double>(values, first_row);
    add_typed<float>(values, first_row);
  }

  RankingEnd end() const {
    const auto queries = static_cast<int64_t>(heaps_.size());
    std::vector<std::vector<Strongest::Entry>> lists;
    for (const Strongest& heap : heaps_) lists.push_back(heap.sorted());
    const int64_t kept = lists.empty() ? 0 : std::ssize(lists.front());
    RankingEnd end{at::empty({queries, kept}, at::kLong), at::empty({queries, kept}, at::kDouble)};
    int64_t* rows = end.rows.data_ptr<int64_t>();
    double* scores = end.scores.data_ptr<double>();
    for (const auto& list : lists) {
      for (const Strongest::Entry& entry : list) {
        *rows++ = entry.place;
        *scores++ = entry.value;
      }
    }
    return end;
  }

 private:
  template <typename Number>
  void add_typed(const at::Tensor& values, int64_t first_row) {
    const auto count = static_cast<size_t>(values.size(1));
    const Number* row = values.const_data_ptr<Number>();
    for (Strongest& heap : heaps_) {
      heap.add(std::span(row, count), first_row);
      row += count;
    }
  }

  std::vector<Strongest> heaps_;
};

// What a mode makes of raw products [...,n] with the documents' own influence [n].
at::Tensor in_mode(IndexMode mode, const at::Tensor& products, const at::Tensor& self) {
  switch (mode) {
    case IndexMode::Dot: return products;
    case IndexMode::L2: return products.sub(self, ASSAY_TWIN("attribute.l2_without_the_half") ? 1 : 0.5);
    case IndexMode::Relatif: {
      const at::Tensor norm = ASSAY_TWIN("attribute.relatif_without_the_root") ? self : self.sqrt();
      return products.mul(norm.reciprocal().masked_fill(norm.le(0), 0));
    }
  }
  return products;
}

class Collected {
 public:
  Collected(const GradientIndex& index, const ScanRequest& request)
      : request_(request),
        folder_(index.folder()),
        queries_(request.directions.size(0)),
        whole_(std::min(request.whole_rows, queries_)),
        top_(queries_, request.strongest, true),
        bottom_(queries_, request.strongest, false) {
    const at::TensorOptions options = request.directions.options();
    if (whole_ > 0) result_.whole = at::zeros({whole_, index.rows()}, options);
    if (whole_ > 0 && request.per_layer)
      result_.per_layer = at::zeros({std::ssize(request.layers), whole_, index.rows()}, options);
    for (size_t g = 0; g < request.groups.size(); ++g) {
      group_top_.emplace_back(queries_, request.strongest, true);
      result_.group_whole.push_back(whole_ > 0 ? at::zeros({whole_, index.rows()}, options) : at::Tensor());
    }
  }

  void add(const GradientIndex::RowBlock& block, BlockProducts product) {
    const at::Tensor self = request_.self.defined() ? request_.self.narrow(0, block.first, block.count) : at::Tensor();
    const at::Tensor& u = request_.directions;
    const at::Tensor scores = in_mode(request_.mode, product(u, request_.layers), self);
    if (!ASSAY_TWIN("attribute.scan_of_any_number") && !scores.isfinite().all().item<bool>()) {
      throw Error(ErrorKind::Numeric,
                  fmt::format("scoring the documents from {} on by the index \"{}\": scores must be finite, but some "
                              "are not; raise the damping, e.g. --method 'logra(damping=0.1)'",
                              block.first, folder_));
    }
    const int64_t first = ASSAY_TWIN("attribute.rows_counted_by_block") ? 0 : block.first;
    top_.add(scores, first);
    bottom_.add(scores, first);
    if (whole_ > 0) result_.whole.narrow(1, block.first, block.count).copy_(scores.narrow(0, 0, whole_));
    for (size_t g = 0; g < request_.groups.size(); ++g) {
      at::Tensor part = product(u, request_.groups[g].layers);
      if (request_.mode == IndexMode::Relatif) part = in_mode(request_.mode, part, self);
      group_top_[g].add(part, first);
      if (whole_ > 0) result_.group_whole[g].narrow(1, block.first, block.count).copy_(part.narrow(0, 0, whole_));
    }
    if (!result_.per_layer.defined()) return;
    for (size_t l = 0; l < request_.layers.size(); ++l) {
      at::Tensor part = product(u.narrow(0, 0, whole_), {request_.layers[l]});
      if (request_.mode == IndexMode::Relatif) part = in_mode(request_.mode, part, self);
      result_.per_layer.select(0, static_cast<int64_t>(l)).narrow(1, block.first, block.count).copy_(part);
    }
  }

  ScanResult result() {
    result_.top = top_.end();
    result_.bottom = bottom_.end();
    for (const Heaps& heaps : group_top_) result_.group_top.push_back(heaps.end());
    return std::move(result_);
  }

 private:
  const ScanRequest& request_;
  const std::string& folder_;
  int64_t queries_, whole_;
  Heaps top_, bottom_;
  std::vector<Heaps> group_top_;
  ScanResult result_;
};

}  // namespace

ScanResult scan_index(const GradientIndex& index, const ScanRequest& request, Progress& progress) {
  ASSAY_ASSERT(request.directions.size(1) == index.about().columns());
  ASSAY_ASSERT(request.mode == IndexMode::Dot || request.self.defined());
  const RowLayout layout = index.about().layout();
  Collected collected(index, request);
  progress.begin("scores", index.rows(), "documents");
  const std::span<const GradientIndex::RowBlock> blocks = index.blocks();
  for (size_t i = 0; i < blocks.size(); ++i) {
    // Checked a few together on all cores, and read while they still lie in the page cache.
    if (i % kBlocksVerified == 0) index.verify(blocks.subspan(i, std::min(kBlocksVerified, blocks.size() - i)));
    collected.add(blocks[i], BlockProducts(index.stored_rows(blocks[i]), layout));
    progress.advance(blocks[i].count);
  }
  progress.end();
  return collected.result();
}

}  // namespace assay::attribute
