// Short vectors as wide as the machine at hand, though the library is compiled for the smallest: a kernel is written
// once over Lanes<Number, kBytes> and is compiled three times, for 16, 32 and 64 bytes; on_widest_lanes calls the one
// that this processor can run. By the vector extensions of GCC and clang and by target attributes, without resolvers of
// the dynamic linker (sanitizers dislike those) and without vectors as arguments (their calling convention varies). A
// sum over lanes, and a product that may be fused with an addition, differ from machine to machine by rounding.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>

#define ASSAY_INLINE inline __attribute__((always_inline))
#define ASSAY_INLINE_LAMBDA __attribute__((always_inline))

namespace assay::kernel {

/// About this many numbers are one chunk of a parallel loop: enough to outweigh its start, and they fit into a core's
/// L2.
constexpr int64_t kChunkOfLanes = 16 * 1024;

template <typename Number, int kBytes>
struct Lanes {
  typedef Number Values __attribute__((vector_size(kBytes)));
  static constexpr int64_t kCount = kBytes / static_cast<int>(sizeof(Number));
  Values values = Values{};

  /// The first `count` numbers, zeros beyond them.
  ASSAY_INLINE void load(const Number* from, int64_t count) {
    if (count >= kCount) {
      __builtin_memcpy(&values, from, kBytes);
    } else {
      Number part[kCount] = {};  // an index that varies would keep `values` out of the registers
      for (int64_t i = 0; i < count; ++i) part[i] = from[i];
      __builtin_memcpy(&values, part, kBytes);
    }
  }
  ASSAY_INLINE void store(Number* to, int64_t count) const {
    if (count >= kCount) {
      __builtin_memcpy(to, &values, kBytes);
    } else {
      Number part[kCount];
      __builtin_memcpy(part, &values, kBytes);
      for (int64_t i = 0; i < count; ++i) to[i] = part[i];
    }
  }
  ASSAY_INLINE Number sum() const {
    if constexpr (kBytes > 16) {
      Lanes<Number, kBytes / 2> low, high;
      __builtin_memcpy(&low.values, &values, kBytes / 2);
      __builtin_memcpy(&high.values, reinterpret_cast<const char*>(&values) + kBytes / 2, kBytes / 2);
      low.values += high.values;
      return low.sum();
    } else {
      Number total = values[0];
      for (int64_t i = 1; i < kCount; ++i) total += values[i];
      return total;
    }
  }
};

/// |x|, a NaN's too.
template <typename Number, int kBytes>
ASSAY_INLINE auto absolute(const Lanes<Number, kBytes>& x) {
  using Bits = std::conditional_t<sizeof(Number) == 4, uint32_t, uint64_t>;
  typename Lanes<Bits, kBytes>::Values bits;
  __builtin_memcpy(&bits, &x.values, kBytes);
  bits &= static_cast<Bits>(-1) >> 1;
  Lanes<Number, kBytes> result;
  __builtin_memcpy(&result.values, &bits, kBytes);
  return result;
}

/// step(i, count) for i = 0, kCount, …: count is a constant but for what is left at the end, so that the loop over
/// whole vectors has no branches. `step` is a lambda with ASSAY_INLINE_LAMBDA.
template <typename L, typename Step>
ASSAY_INLINE void by_lanes(int64_t numbers, const Step& step) {
  int64_t i = 0;
  for (; i + L::kCount <= numbers; i += L::kCount) step(i, std::integral_constant<int64_t, L::kCount>());
  if (i < numbers) step(i, numbers - i);
}

#if defined(__x86_64__)
template <typename Kernel, typename... Arguments>
__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))) void on_64_bytes(Arguments... arguments) {
  Kernel::template run<64>(arguments...);
}
template <typename Kernel, typename... Arguments>
__attribute__((target("avx2,fma"))) void on_32_bytes(Arguments... arguments) {
  Kernel::template run<32>(arguments...);
}

inline int widest_lanes() {
  static const int bytes = [] {
    __builtin_cpu_init();  // does nothing twice; whoever asks before this library is loaded must not get an empty
                           // answer
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return 16;
    const bool widest = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return widest ? 64 : 32;
  }();
  return bytes;
}
#endif

/// Kernel::run<kBytes>(arguments...), an ASSAY_INLINE template, with the widest lanes that this processor has.
template <typename Kernel, typename... Arguments>
void on_widest_lanes(Arguments... arguments) {
#if defined(__x86_64__)
  if (widest_lanes() == 64) return on_64_bytes<Kernel>(arguments...);
  if (widest_lanes() == 32) return on_32_bytes<Kernel>(arguments...);
#endif
  Kernel::template run<16>(arguments...);
}

}  // namespace assay::kernel
