#include "assay/kernel/shared_tasks.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>

namespace assay::kernel {

void share_tasks(int64_t count, const std::function<void(int64_t)>& work) {
  std::atomic<int64_t> taken{0};
  at::parallel_for(0, std::min<int64_t>(count, at::get_num_threads()), 1, [&](int64_t, int64_t) {
    for (int64_t task = taken++; task < count; task = taken++) work(task);
  });
}

}  // namespace assay::kernel
