// Scratch that begins on a line of the cache and is not set to anything. Kernels take a dozen of them for every head:
// each costs a malloc, where a tensor would cost several times that.
#pragma once

#include <cstdint>
#include <memory>

namespace assay::kernel {

class AlignedWords {
 public:
  explicit AlignedWords(int64_t words);
  [[nodiscard]] uint32_t* get() const { return data_; }
  [[nodiscard]] float* floats() const { return reinterpret_cast<float*>(data_); }

 private:
  std::unique_ptr<uint32_t[]> room_;
  uint32_t* data_;
};

}  // namespace assay::kernel
