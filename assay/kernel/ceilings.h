// What this machine does at best, measured: square matrix products in float32 and bf16 (float32 results), reading from
// memory, the price of one small operator. Plans divide counted work by these; benchmarks print them beside what was
// reached. The best of several repetitions counts: a ceiling is what is possible, and other programs only take away.
#pragma once

#include <string>

#include "assay/core/plan.h"

namespace assay::kernel {

/// Measures with the present number of threads, taking about `seconds` in all.
Ceilings measure_ceilings(double seconds);

/// Those that the cache folder holds for this processor and number of threads; else measured in 0.3 s and kept there.
Ceilings machine_ceilings(const std::string& cache_folder);

}  // namespace assay::kernel
