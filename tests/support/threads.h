// LibTorch's threads, for the life of an object.
#pragma once

#include <ATen/Parallel.h>

namespace assay {

class ScopedThreads {
 public:
  explicit ScopedThreads(int threads) : before_(at::get_num_threads()) { at::set_num_threads(threads); }
  ~ScopedThreads() { at::set_num_threads(before_); }
  ScopedThreads(const ScopedThreads&) = delete;
  ScopedThreads& operator=(const ScopedThreads&) = delete;

 private:
  int before_;
};

}  // namespace assay
