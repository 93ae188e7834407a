#include "assay/curvature/resumable_pass.h"

#include <ATen/ops/full.h>
#include <fmt/format.h>

#include <chrono>
#include <exception>

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

  [[nodiscard]] bool is_due(size_t done, size_t batches) const {
    const bool is_far = (done - saved_at_) * kSavesPerWalk >= batches;
    return workspace_.is_on_disk() && is_far && done < batches && (now_seconds() - last_) * kShareOfTimeSaving >= cost_;
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

}  // namespace

void walk(const Pass& pass, const data::Dataset& dataset, const Batches& batches, Workspace& workspace,
          Progress& progress, nn::BatchesInFlight& flight,
          const std::function<void(std::span<const int64_t> rows, nn::BatchesInFlight::Turn& turn)>& step) {
  std::vector<int64_t> units{0};  // of the batches before each
  for (const auto& rows : batches) units.push_back(units.back() + dataset.units(rows));
  SavedState saved(pass, workspace);
  size_t done = saved.restore(batches.size());
  if (ASSAY_TWIN("curvature.resume_repeats_a_batch") && done > 0) --done;

  progress.begin(pass.stage, units.back(), dataset.longest() > 0 ? "tokens" : "examples");
  size_t told = 0;
  const auto tell = [&](size_t so_far) {
    while (told < so_far) {
      ++told;  // before it can throw
      progress.advance(units[told] - units[told - 1]);
    }
  };
  if (done > 0) {
    progress.note(fmt::format("{}: going on at {} % of an interrupted run", pass.stage,
                              100 * units[done] / std::max<int64_t>(1, units.back())));
    told = done;
    progress.advance(units[done]);
  }
  while (done < batches.size()) {
    std::exception_ptr interruption;
    const auto tell_or_stop = [&](int64_t so_far) {
      try {
        tell(static_cast<size_t>(so_far));
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::Interrupted) throw;
        interruption = std::current_exception();
      }
      return !interruption && !saved.is_due(static_cast<size_t>(so_far), batches.size());
    };
    const auto of_batch = [&](int64_t batch, nn::BatchesInFlight::Turn& turn) {
      step(batches[static_cast<size_t>(batch)], turn);
    };
    done = static_cast<size_t>(flight.walk(static_cast<int64_t>(done), std::ssize(batches), of_batch, tell_or_stop));
    if (!interruption) tell_or_stop(static_cast<int64_t>(done));
    if (interruption) {
      saved.save(done);
      std::rethrow_exception(interruption);
    }
    if (saved.is_due(done, batches.size())) saved.save(done);
  }
  if (pass.is_followed_by_work) saved.save(batches.size());
  return_freed_memory();  // of the batches: what comes next has other sizes
  progress.end();
}

}  // namespace assay::curvature
