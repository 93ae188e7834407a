// Scratch that begins on a line of the cache, from LibTorch's allocator.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace assay::kernel {

class AlignedWords {
 public:
  explicit AlignedWords(int64_t words);
  [[nodiscard]] uint32_t* get() const { return data_; }
  [[nodiscard]] float* floats() const { return reinterpret_cast<float*>(data_); }

 private:
  at::Tensor room_;
  uint32_t* data_;
};

}  // namespace assay::kernel
