#include "assay/kernel/aligned_words.h"

namespace assay::kernel {
namespace {

constexpr int64_t kLine = 64, kWord = sizeof(uint32_t);

}  // namespace

AlignedWords::AlignedWords(int64_t words)
    : room_(std::make_unique_for_overwrite<uint32_t[]>(static_cast<size_t>(words + kLine / kWord))),
      data_(room_.get()) {
  const auto beyond = static_cast<int64_t>(reinterpret_cast<uintptr_t>(data_) % kLine);
  data_ += (kLine - beyond) % kLine / kWord;
}

}  // namespace assay::kernel
