// What a job will cost, said before it starts: operations and bytes counted from shapes, turned into time by what this
// machine was measured to do. A stage's time is the sum of its parts (products, memory traffic, operator calls),
// because one stage is many operators, each bound by one of them. Meant to be right within a factor of 2 in time and
// within max(25 %, 200 MB) in memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

/// Counted from shapes. A multiply-add is two operations. All zero is a stage that costs nothing.
struct Cost {
  double flops = 0;             ///< in float32 products
  double flops_fp64 = 0;        ///< in float64 products, at half the speed
  double flops_bf16 = 0;        ///< in bf16 products with float32 results
  double bytes_moved = 0;       ///< to and from memory outside the products
  double operator_calls = 0;    ///< each has a fixed price, which rules where tensors are small
  double measured_seconds = 0;  ///< of work that was timed on a share of it, because nothing in it can be counted
  int64_t peak_bytes = 0;       ///< held at the stage's worst moment, everything included
  int64_t disk_bytes = 0;       ///< written and kept

  Cost& operator+=(const Cost& other);  ///< one after another: work and disk add, peaks take the larger
};

/// What this machine does at best, on the threads in use.
struct Ceilings {
  double flops_per_second_fp32 = 0;
  double flops_per_second_bf16 = 0;
  double bytes_per_second = 0;
  double seconds_per_operator_call = 0;
};

/// Seconds that `cost` takes at these ceilings.
double seconds(const Cost& cost, const Ceilings& ceilings);

struct PlannedStage {
  std::string name;
  Cost cost;
  double seconds = 0;
};

/// Stages in the order in which they run.
class Plan {
 public:
  explicit Plan(const Ceilings& ceilings) : ceilings_(ceilings) {}

  Plan& add(std::string_view stage, const Cost& cost);

  const Ceilings& ceilings() const { return ceilings_; }
  const std::vector<PlannedStage>& stages() const { return stages_; }
  double total_seconds() const;
  int64_t peak_bytes() const;
  int64_t disk_bytes() const;
  /// A table for a terminal: a line a stage and one for the whole; ends with a newline.
  std::string table() const;

 private:
  Ceilings ceilings_;
  std::vector<PlannedStage> stages_;
};

/// Ceilings measured earlier on this processor with this number of threads, if the cache folder holds them.
std::optional<Ceilings> cached_ceilings(const std::string& cache_folder, int threads);
/// Keeps each at its best so far: other programs only take away. A folder that cannot be written is no error.
void keep_ceilings(const std::string& cache_folder, int threads, const Ceilings& ceilings);

/// "412 MB", "1.4 GB" (powers of ten); "0.4 s", "42 s", "3 min 20 s", "2 h 5 min".
std::string format_bytes(int64_t bytes);
std::string format_seconds(double seconds);
/// "24,000".
std::string format_count(int64_t count);
/// "1 token", "24,000 tokens", of a noun that takes an s.
std::string format_counted(int64_t count, std::string_view noun);

/// Bytes of "8GB", "500MB", "1.5 GiB", "2000000"; throws Error(Usage) that names `what`.
int64_t parse_bytes(std::string_view text, std::string_view what);

}  // namespace assay
