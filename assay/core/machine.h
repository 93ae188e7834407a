// What this process may use of the machine: cores after affinity and cgroup quotas, memory after cgroup limits, and
// what it uses now. A container that grants two of 64 cores must not be run with 64 threads. Linux (/proc, cgroup v1
// and v2).
#pragma once

#include <cstdint>
#include <string>

namespace assay {

/// The processor as the kernel reports it. Features name what the matrix products can use.
struct Processor {
  std::string model;
  int cores_online = 1;
  bool has_avx2 = false;
  bool has_avx512 = false;
  bool has_avx512_bf16 = false;
  bool has_amx_bf16 = false;
};

Processor processor();

/// Cores this process may run on: the smallest of those online, its affinity mask and the cgroup quota (rounded up).
/// At least 1.
int granted_cores();

/// Bytes this process may hold: the smaller of the machine's memory and the tightest cgroup limit above it.
int64_t granted_memory_bytes();

/// Bytes still free within that: the smaller of MemAvailable and limit minus use of each cgroup.
int64_t available_memory_bytes();

/// Resident set now, and its highest value so far, in bytes; libraries count in full.
int64_t resident_bytes();
int64_t peak_resident_bytes();

/// Resident set of another process of ours; 0 where there is none.
int64_t resident_bytes_of(int process);

/// Lifts the peak to `bytes` where it is lower: what this process held together with workers of its own.
void lift_peak_resident(int64_t bytes);

/// Makes the peak start again from now where the kernel allows it (/proc/self/clear_refs); else only what was lifted.
void reset_peak_resident();

/// Makes the C library keep what is freed for what is allocated next, instead of returning it to the kernel, which
/// would hand it back page by page: a walk allocates the same blocks for every batch. For a program at its start;
/// costs up to a fifth of the peak where sizes vary.
void keep_freed_memory();

/// Returns to the kernel what is kept so, where something large has been freed that will not come again.
void return_freed_memory();

namespace detail {
/// The functions above, on a file system that begins at `root`: for tests.
double cgroup_cores(const std::string& root);          ///< infinity without a quota
int64_t cgroup_memory_bytes(const std::string& root);  ///< INT64_MAX without a limit
}  // namespace detail

}  // namespace assay
