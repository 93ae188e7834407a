#include "assay/kernel/ceilings.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/add.h>
#include <ATen/ops/full.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/sum.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <limits>

#include "assay/core/machine.h"
#include "assay/kernel/bf16_product.h"

namespace assay::kernel {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Seconds of the processor that all threads of this process took.
double processor_now() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// The shortest of as many runs as fit into `budget` seconds, three at least; the first run only warms up. While other
/// programs hold the processor a run takes longer by the clock, but no more of the processor: what it took there,
/// shared among the `threads` that work, counts where it is less.
double best_seconds(double budget, int threads, const std::function<void()>& work) {
  work();
  double best = std::numeric_limits<double>::infinity();
  const double started = now();
  for (int run = 0; run < 3 || now() - started < budget; ++run) {
    const double before = now(), processor_before = processor_now();
    work();
    best = std::min({best, now() - before, (processor_now() - processor_before) / threads});
  }
  return best;
}

/// Threads of ours that can run at once.
int working_threads() {
  return std::min(at::get_num_threads(), granted_cores());
}

/// Operations a second in a product of [n,n] matrices with float32 results; 2 n³ operations.
double product_speed(at::ScalarType dtype, int64_t n, double budget) {
  const at::Tensor left = at::full({n, n}, 0.5, at::TensorOptions(dtype)), right = left.clone();
  const double size = static_cast<double>(n);
  return 2 * size * size * size / best_seconds(budget, working_threads(), [&] {
           dtype == at::kBFloat16 ? bf16_product(left, right) : at::mm(left, right);
         });
}

double read_speed(double budget) {
  const at::Tensor block = at::ones({int64_t{48} << 20});  // 192 MB: beyond the caches of one socket
  return static_cast<double>(block.nbytes()) / best_seconds(budget, working_threads(), [&] { at::sum(block); });
}

double operator_seconds(double budget) {
  constexpr int kCalls = 500;
  const at::Tensor small = at::ones({64});
  return best_seconds(budget, 1,
                      [&] {
                        for (int i = 0; i < kCalls; ++i) at::add(small, small);
                      }) /
         kCalls;
}

}  // namespace

Ceilings measure_ceilings(double seconds) {
  const int64_t n = seconds > 1 ? 2048 : 1024;
  const double share = seconds / 4;
  return {.flops_per_second_fp32 = product_speed(at::kFloat, n, share),
          .flops_per_second_bf16 = product_speed(at::kBFloat16, n, share),
          .bytes_per_second = read_speed(share),
          .seconds_per_operator_call = operator_seconds(share / 4)};
}

Ceilings machine_ceilings(const std::string& cache_folder) {
  const int threads = at::get_num_threads();
  if (const auto known = cached_ceilings(cache_folder, threads)) return *known;
  const Ceilings measured = measure_ceilings(0.3);
  return_freed_memory();  // the block that was read would count as held, in plans and in peaks
  keep_ceilings(cache_folder, threads, measured);
  return measured;
}

}  // namespace assay::kernel
