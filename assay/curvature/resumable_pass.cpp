#include "assay/curvature/resumable_pass.h"

#include <ATen/ops/full.h>
#include <fmt/format.h>

#include <chrono>

#include "assay/core/error.h"
#include "assay/core/machine.h"
#include "assay/core/twin.h"

namespace assay::curvature {
namespace {

constexpr size_t kSavesPerWalk = 8;  // killed at 70 %, 3/8 of the walk is left
constexpr double kShareOfTimeSaving = 0.1;

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

class SavedState {
 public:
  SavedState(const Pass& pass, Workspace& workspace) : pass_(pass), workspace_(workspace), last_(now_seconds()) {}

  /// Batches that an earlier run has done; the state is theirs.
  size_t restore(size_t batches) {
    auto saved = workspace_.get(pass_.block);
    if (!saved || !saved->contains("batches_done")) return 0;
    const auto done = static_cast<size_t>(saved->at("batches_done").item<int64_t>());
    if (done > batches || saved->size() != pass_.state.size() + 1) return 0;
    for (const auto& [name, sum] : pass_.state) {
      const auto found = saved->find(name);
      if (found == saved->end() || found->second.sizes() != sum.sizes() || found->second.dtype() != sum.dtype())
        return 0;
    }
    for (const auto& [name, sum] : pass_.state) sum.copy_(saved->at(name));
    saved_at_ = done;
    return done;
  }

  void save_if_due(size_t done, size_t batches) {
    const bool is_far = (done - saved_at_) * kSavesPerWalk >= batches;
    if (is_far && done < batches && (now_seconds() - last_) * kShareOfTimeSaving >= cost_) save(done);
  }

  void save(size_t done) {
    if (!workspace_.is_on_disk() || done == saved_at_) return;
    const double before = now_seconds();
    TensorMap tensors = pass_.state;
    tensors["batches_done"] = at::full({}, static_cast<int64_t>(done), at::kLong);
    workspace_.put(pass_.block, tensors);
    last_ = now_seconds();
    cost_ = last_ - before;
    saved_at_ = done;
  }

 private:
  const Pass& pass_;
  Workspace& workspace_;
  size_t saved_at_ = 0;
  double last_, cost_ = 0;
};

int64_t units_in(const data::Dataset& dataset, std::span<const int64_t> rows) {
  int64_t units = 0;
  for (const int64_t row : rows) {
    units += std::max<int64_t>(1, static_cast<int64_t>(dataset.examples[static_cast<size_t>(row)].tokens.size()));
  }
  return units;
}

}  // namespace

void walk(const Pass& pass, const data::Dataset& dataset, const Batches& batches, Workspace& workspace,
          Progress& progress, const std::function<void(std::span<const int64_t> rows)>& step) {
  int64_t total = 0;
  for (const auto& rows : batches) total += units_in(dataset, rows);
  SavedState saved(pass, workspace);
  size_t first = saved.restore(batches.size());
  if (ASSAY_TWIN("curvature.resume_repeats_a_batch") && first > 0) --first;

  progress.begin(pass.stage, total, dataset.longest() > 0 ? "tokens" : "examples");
  int64_t reused = 0;
  for (size_t i = 0; i < first; ++i) reused += units_in(dataset, batches[i]);
  if (first > 0) {
    progress.note(fmt::format("{}: going on at {} % of an interrupted run", pass.stage,
                              100 * reused / std::max<int64_t>(1, total)));
    progress.advance(reused);
  }
  for (size_t i = first; i < batches.size(); ++i) {
    step(batches[i]);
    try {
      progress.advance(units_in(dataset, batches[i]));
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::Interrupted) saved.save(i + 1);
      throw;
    }
    saved.save_if_due(i + 1, batches.size());
  }
  if (pass.is_followed_by_work) saved.save(batches.size());
  return_freed_memory();  // of the batches: what comes next has other sizes
  progress.end();
}

}  // namespace assay::curvature
