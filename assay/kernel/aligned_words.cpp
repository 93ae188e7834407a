#include "assay/kernel/aligned_words.h"

#include <ATen/ops/empty.h>

namespace assay::kernel {
namespace {

constexpr int64_t kLine = 64, kWord = sizeof(uint32_t);

}  // namespace

AlignedWords::AlignedWords(int64_t words)
    : room_(at::empty({words + kLine / kWord}, at::TensorOptions().dtype(at::kInt))) {
  data_ = reinterpret_cast<uint32_t*>(room_.data_ptr<int>());
  const auto beyond = static_cast<int64_t>(reinterpret_cast<uintptr_t>(data_) % kLine);
  data_ += (kLine - beyond) % kLine / kWord;
}

}  // namespace assay::kernel
