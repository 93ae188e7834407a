#include "assay/core/hash.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <new>
#include <vector>

#include "assay/core/error.h"

namespace assay {

static_assert(std::endian::native == std::endian::little, "stored hashes are of little-endian bytes");

uint64_t hash64(std::span<const std::byte> bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

uint64_t hash64(std::string_view text, uint64_t seed) {
  return hash64(std::as_bytes(std::span(text)), seed);
}

std::string hex64(uint64_t value) {
  std::string hex(16, '0');
  for (size_t i = hex.size(); i-- > 0; value >>= 4) hex[i] = "0123456789abcdef"[value & 15];
  return hex;
}

struct Hasher::State {
  // xxHash wants 64-byte alignment, which its own allocation gives.
  XXH3_state_t* xxh = XXH3_createState();
  State() {
    if (xxh == nullptr) throw std::bad_alloc();
    XXH3_128bits_reset(xxh);
  }
  ~State() { XXH3_freeState(xxh); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

Hasher::Hasher() : state_(std::make_unique<State>()) {}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

Hasher& Hasher::add(std::span<const std::byte> bytes) {
  XXH3_128bits_update(state_->xxh, bytes.data(), bytes.size());
  return *this;
}

Hasher& Hasher::add(std::string_view text) {
  return add(uint64_t{text.size()}).add(std::as_bytes(std::span(text)));
}
Hasher& Hasher::add(uint64_t value) {
  return add(std::as_bytes(std::span(&value, 1)));
}
Hasher& Hasher::add(double value) {
  return add(std::bit_cast<uint64_t>(value));
}

uint64_t Hasher::digest64() const {
  return XXH3_64bits_digest(state_->xxh);
}

std::string Hasher::digest128() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(state_->xxh);
  return hex64(hash.high64) + hex64(hash.low64);
}

std::string hash_file(const std::string& path) {
  const auto fail = [&]() -> void {
    throw Error(ErrorKind::Data, "hashing \"" + path + "\": the file must be readable, but " + std::strerror(errno));
  };
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) fail();
  Hasher hasher;
  std::vector<std::byte> buffer(size_t{1} << 20);
  ssize_t count = 0;
  while ((count = ::read(file, buffer.data(), buffer.size())) != 0) {
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      ::close(file);
      fail();
    }
    hasher.add(std::span(buffer).first(static_cast<size_t>(count)));
  }
  ::close(file);
  return hasher.digest128();
}

}  // namespace assay
