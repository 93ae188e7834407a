// Building a gradient index and what its rows say of the queries.
#pragma once

#include "bench/table/stages.h"

namespace assay::bench {

nlohmann::json measure_index(const Workload& workload, const Task& task, int64_t rank);

}  // namespace assay::bench
