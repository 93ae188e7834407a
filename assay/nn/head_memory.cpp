#include "assay/nn/head_memory.h"

#include <ATen/ops/from_blob.h>
#include <sys/mman.h>

#include <utility>

#include "assay/core/twin.h"

namespace assay::nn {
namespace {

int64_t bytes_of(const HeadMemory::Said& said, const at::Tensor& places) {
  auto bytes = said.moments.means.nbytes() + said.moments.log_sums.nbytes() + places.nbytes();
  for (const auto& [seed, labels] : said.labels) bytes += labels.nbytes();
  return static_cast<int64_t>(bytes);
}

/// A copy in pages of its own: between the blocks that a walk allocates and frees again for every batch, what stays may
/// keep the C library from joining them.
at::Tensor outside_the_heap(const at::Tensor& tensor) {
  const size_t bytes = tensor.nbytes();
  void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (bytes == 0 || pages == MAP_FAILED) return tensor;
  const auto unmap = [bytes](void* mapped) { munmap(mapped, bytes); };
  return at::from_blob(pages, tensor.sizes(), unmap, tensor.options()).copy_(tensor);
}

}  // namespace

std::optional<HeadMemory::Said> HeadMemory::find(const data::Batch& batch, const at::Tensor& places) const {
  const std::lock_guard lock(mutex_);
  const auto found = ASSAY_TWIN("nn.head_of_another_batch") ? entries_.begin() : entries_.find(batch.ids);
  if (found == entries_.end()) return std::nullopt;
  const Entry& entry = found->second;
  if (entry.positions != batch.positions() || !entry.places.equal(places)) return std::nullopt;
  return entry.said;
}

void HeadMemory::keep(const data::Batch& batch, const at::Tensor& places, Said said) {
  const int64_t bytes = bytes_of(said, places);
  const std::lock_guard lock(mutex_);
  if (bytes > free_bytes_ && !ASSAY_TWIN("nn.head_memory_without_bound")) return;
  if (entries_.contains(batch.ids)) return;
  for (at::Tensor* tensor : {&said.moments.means, &said.moments.log_sums}) *tensor = outside_the_heap(*tensor);
  for (auto& [seed, labels] : said.labels) labels = outside_the_heap(labels);
  entries_[batch.ids] = {batch.positions(), outside_the_heap(places), std::move(said)};
  free_bytes_ -= bytes;
}

void HeadMemory::close() {
  const std::lock_guard lock(mutex_);
  entries_.clear();
  free_bytes_ = 0;
}

}  // namespace assay::nn
