// Content addresses: xxHash XXH3. 64 bits name examples, 128 bits name files and cache entries. Not cryptographic.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace assay {

uint64_t hash64(std::span<const std::byte> bytes, uint64_t seed = 0);
uint64_t hash64(std::string_view text, uint64_t seed = 0);

/// 16 hex digits.
std::string hex64(uint64_t value);

/// A hash fed in pieces; the pieces' boundaries do not matter.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;

  Hasher& add(std::span<const std::byte> bytes);
  Hasher& add(std::string_view text);  ///< with its length, so that ("ab","c") and ("a","bc") differ
  Hasher& add(uint64_t value);
  Hasher& add(double value);

  uint64_t digest64() const;
  std::string digest128() const;  ///< 32 hex digits

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// XXH3-128 of the bytes of a file, read once in pieces: what a Hasher fed with those bytes gives.
std::string hash_file(const std::string& path);

}  // namespace assay
