// Tasks that threads take one after the other. Where they get unequal shares of the machine, because a neighbour keeps one
// of two cores busy, equal shares of the work would make all of them wait for the slowest.
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace assay::kernel {

/// work(task) for each of `count` tasks, in order of being taken.
template <typename Work>
void share_tasks(int64_t count, const Work& work) {
  std::atomic<int64_t> taken{0};
  at::parallel_for(0, std::min<int64_t>(count, at::get_num_threads()), 1, [&](int64_t, int64_t) {
    for (int64_t task = taken++; task < count; task = taken++) work(task);
  });
}

}  // namespace assay::kernel
