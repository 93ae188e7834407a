#include "assay/nn/head_memory.h"

#include <utility>

#include "assay/core/twin.h"

namespace assay::nn {
namespace {

int64_t bytes_of(const HeadMemory::Said& said, const at::Tensor& places) {
  auto bytes = said.moments.means.nbytes() + said.moments.log_sums.nbytes() + places.nbytes();
  for (const auto& [seed, labels] : said.labels) bytes += labels.nbytes();
  return static_cast<int64_t>(bytes);
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
  if (entries_.try_emplace(batch.ids, Entry{batch.positions(), places, std::move(said)}).second) free_bytes_ -= bytes;
}

void HeadMemory::clear() {
  const std::lock_guard lock(mutex_);
  for (const auto& [ids, entry] : entries_) free_bytes_ += bytes_of(entry.said, entry.places);
  entries_.clear();
}

}  // namespace assay::nn
