// Tasks that threads take one after the other. Where they get unequal shares of the machine, because a neighbour keeps
// one of two cores busy, equal shares of the work would make all of them wait for the slowest.
#pragma once

#include <cstdint>
#include <functional>

namespace assay::kernel {

/// work(task) for each of `count` tasks on all threads, or on this one inside a loop that is shared already. What is
/// taken when depends on the clock: tasks must not read what others write.
void share_tasks(int64_t count, const std::function<void(int64_t)>& work);

}  // namespace assay::kernel
