// Scratch that begins on a line of the cache, from LibTorch's allocator.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <cstdint>

namespace assay::kernel {

class AlignedWords {
 public:
  explicit AlignedWords(int64_t words) : room_(at::empty({words + 16}, at::TensorOptions().dtype(at::kInt))) {
    data_ = reinterpret_cast<uint32_t*>(room_.data_ptr<int>());
    data_ += (64 - reinterpret_cast<uintptr_t>(data_) % 64) % 64 / 4;
  }
  [[nodiscard]] uint32_t* get() const { return data_; }
  [[nodiscard]] float* floats() const { return reinterpret_cast<float*>(data_); }

 private:
  at::Tensor room_;
  uint32_t* data_;
};

}  // namespace assay::kernel
