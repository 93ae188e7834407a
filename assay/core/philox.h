// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a counter-based generator.
// Value i of stream s under a seed is a pure function of (seed, s, i): the same on every machine, thread count, batch
// size and shard. Everything random in Assay comes from here, keyed by what it belongs to (seed, example id, position).
#pragma once

#include <array>
#include <cstdint>

namespace assay {

/// Four 32-bit words for one counter. counter = (index, stream), key = seed; all 64-bit.
constexpr std::array<uint32_t, 4> philox4x32(uint64_t seed, uint64_t stream, uint64_t index) {
  std::array<uint32_t, 4> c{static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32),
                            static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)};
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53u} * c[0], p1 = uint64_t{0xCD9E8D57u} * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<uint32_t>(p0)};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

/// 64 random bits.
constexpr uint64_t random_bits(uint64_t seed, uint64_t stream, uint64_t index) {
  const auto w = philox4x32(seed, stream, index);
  return (uint64_t{w[1]} << 32) | w[0];
}

/// Uniform in [0, 1), 53 bits.
constexpr double random_uniform(uint64_t seed, uint64_t stream, uint64_t index) {
  return static_cast<double>(random_bits(seed, stream, index) >> 11) * 0x1.0p-53;
}

/// Standard normal by Box-Muller from one counter.
double random_normal(uint64_t seed, uint64_t stream, uint64_t index);

/// Uniform integer in [0, bound), bound > 0; the modulo bias is below bound / 2^64.
constexpr uint64_t random_below(uint64_t bound, uint64_t seed, uint64_t stream, uint64_t index) {
  return random_bits(seed, stream, index) % bound;
}

/// Names a stream: a hash of a word, so that two uses of one seed never share numbers.
constexpr uint64_t stream_of(const char* name) {
  uint64_t hash = 0xcbf29ce484222325ull;  // FNV-1a: constexpr, and only names go through it
  for (; *name != 0; ++name) hash = (hash ^ static_cast<unsigned char>(*name)) * 0x100000001b3ull;
  return hash;
}

}  // namespace assay
