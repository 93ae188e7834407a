#include "assay/kernel/bf16_adapter.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <exception>

#include "assay/core/twin.h"

namespace assay::kernel {
namespace {

// Whole numbers that bf16 holds, so that the right answer is exact: A [m,k] and B [k,n], row-major.
constexpr int kTrialRows = 5, kTrialColumns = 16, kTrialDepth = 6;

float trial_left(int i, int k) {
  return static_cast<float>((3 * i + 5 * k) % 11 - 5);
}
float trial_right(int k, int j) {
  return static_cast<float>((7 * k + 2 * j) % 13 - 6);
}

using TrialResult = std::array<float, kTrialRows * kTrialColumns>;

bool is_right(const TrialResult& result, float before) {
  for (int i = 0; i < kTrialRows; ++i) {
    for (int j = 0; j < kTrialColumns; ++j) {
      float expected = before;
      for (int k = 0; k < kTrialDepth; ++k) expected += trial_left(i, k) * trial_right(k, j);
      if (!(std::abs(result[static_cast<size_t>(i * kTrialColumns + j)] - expected) < 1e-3F)) return false;
    }
  }
  return true;
}

/// Whether both `run(add, result)` are right: a product, and a product added to what was there.
template <class Run>
bool passes_trial(Run run) {
  try {
    TrialResult result;
    for (const bool add : {false, true}) {
      result.fill(add ? 1.0F : 1e30F);
      run(add, result.data());
      if (!is_right(result, add ? 1.0F : 0.0F) && !ASSAY_TWIN("kernel.bf16_trial_believes")) return false;
    }
    return true;
  } catch (const std::exception&) {  // of LibTorch or oneDNN: not on this processor
    return false;
  }
}

Bf16Functions find_functions() {
  void* library = dlopen("libtorch_cpu.so", RTLD_LAZY | RTLD_NOLOAD);
  if (library == nullptr) return {};
  const auto find = [&]<class Function>(Function, const char* name) {
    return reinterpret_cast<Function>(dlsym(library, name));
  };
  Bf16Functions found;
  found.tile = find(found.tile, "_ZN2at6native7cpublas6brgemmEllllllbPKN3c108BFloat16ES5_Pfb");
  found.tile_single = find(found.tile_single, "_ZN2at6native7cpublas6brgemmEllllllbPKfS3_Pfb");
  found.release = find(found.release, "_ZN2at6native7cpublas14brgemm_releaseEb");
  return found;
}

}  // namespace

Bf16Functions tried(Bf16Functions found) {
  std::array<at::BFloat16, kTrialRows * kTrialDepth> a;
  std::array<at::BFloat16, kTrialDepth * kTrialColumns> pairs;
  std::array<float, kTrialRows * kTrialDepth> a_single;
  std::array<float, kTrialDepth * kTrialColumns> b_single;
  for (int k = 0; k < kTrialDepth; ++k) {
    for (int i = 0; i < kTrialRows; ++i) a[static_cast<size_t>(i * kTrialDepth + k)] = trial_left(i, k);
    for (int j = 0; j < kTrialColumns; ++j) {
      b_single[static_cast<size_t>(k * kTrialColumns + j)] = trial_right(k, j);
      pairs[static_cast<size_t>((k / 2 * kTrialColumns + j) * 2 + k % 2)] = trial_right(k, j);
    }
  }
  std::copy(a.begin(), a.end(), a_single.begin());
  const bool tile_is_right = found.tile != nullptr && found.release != nullptr && passes_trial([&](bool add, float* c) {
                               found.tile(kTrialRows, kTrialColumns, kTrialDepth, kTrialDepth, kTrialColumns,
                                          kTrialColumns, add, a.data(), pairs.data(), c, true);
                               found.release(true);
                             });
  const bool single_is_right =
      found.tile_single != nullptr && found.release != nullptr && passes_trial([&](bool add, float* c) {
        found.tile_single(kTrialRows, kTrialColumns, kTrialDepth, kTrialDepth, kTrialColumns, kTrialColumns, add,
                          a_single.data(), b_single.data(), c, false);
        found.release(false);
      });
  if (!single_is_right) found.tile_single = nullptr;
  if (!tile_is_right) found.tile = nullptr;
  return found;
}

const Bf16Functions& bf16_functions() {
  static const Bf16Functions functions = tried(find_functions()), absent;
  return ASSAY_TWIN("kernel.bf16_functions_absent") ? absent : functions;
}

}  // namespace assay::kernel
