// Token ids where they lie: 32-bit numbers in memory, 16-bit or 32-bit ones in a mapped token shard. Reads like a
// vector of ids, owns nothing, copies nothing.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <utility>
#include <vector>

#include "assay/core/error.h"

namespace assay::data {

class TokenView {
 public:
  using value_type = int32_t;

  class Iterator {
   public:
    using iterator_category = std::random_access_iterator_tag;
    using value_type = int32_t;
    using difference_type = std::ptrdiff_t;
    using pointer = const int32_t*;
    using reference = int32_t;

    Iterator() = default;
    Iterator(const TokenView& view, difference_type place)
        : data_(view.data_), is_narrow_(view.is_narrow_), place_(place) {}

    int32_t operator*() const { return read(data_, is_narrow_, static_cast<size_t>(place_)); }
    int32_t operator[](difference_type n) const { return *(*this + n); }
    Iterator& operator+=(difference_type n) { return place_ += n, *this; }
    Iterator& operator-=(difference_type n) { return place_ -= n, *this; }
    Iterator& operator++() { return *this += 1; }
    Iterator& operator--() { return *this -= 1; }
    Iterator operator++(int) { return std::exchange(*this, *this + 1); }
    Iterator operator--(int) { return std::exchange(*this, *this - 1); }
    friend Iterator operator+(Iterator it, difference_type n) { return it += n; }
    friend Iterator operator+(difference_type n, Iterator it) { return it += n; }
    friend Iterator operator-(Iterator it, difference_type n) { return it -= n; }
    friend difference_type operator-(const Iterator& a, const Iterator& b) { return a.place_ - b.place_; }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.place_ == b.place_; }
    friend auto operator<=>(const Iterator& a, const Iterator& b) { return a.place_ <=> b.place_; }

   private:
    const void* data_ = nullptr;
    bool is_narrow_ = false;
    difference_type place_ = 0;
  };
  using iterator = Iterator;
  using const_iterator = Iterator;

  TokenView() = default;
  TokenView(std::span<const int32_t> ids) : data_(ids.data()), size_(ids.size()) {}
  TokenView(const std::vector<int32_t>& ids) : TokenView(std::span<const int32_t>(ids)) {}
  TokenView(std::span<const uint16_t> ids) : data_(ids.data()), size_(ids.size()), is_narrow_(true) {}

  size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  int32_t operator[](size_t place) const { return read(data_, is_narrow_, place); }
  int32_t front() const { return (*this)[0]; }
  int32_t back() const { return (*this)[size_ - 1]; }
  Iterator begin() const { return {*this, 0}; }
  Iterator end() const { return {*this, static_cast<std::ptrdiff_t>(size_)}; }

  /// The ids [from, from + count).
  TokenView part(size_t from, size_t count) const {
    ASSAY_ASSERT(from <= size_ && count <= size_ - from);
    TokenView view = *this;
    const size_t bytes = from * (is_narrow_ ? sizeof(uint16_t) : sizeof(int32_t));
    view.data_ = static_cast<const std::byte*>(data_) + bytes;
    view.size_ = count;
    return view;
  }

  /// A copy, for those who change them or need them side by side as 32-bit numbers.
  std::vector<int32_t> to_vector() const { return {begin(), end()}; }
  operator std::vector<int32_t>() const { return to_vector(); }

  friend bool operator==(const TokenView& a, const TokenView& b) {
    if (a.size_ != b.size_) return false;
    for (size_t i = 0; i < a.size_; ++i)
      if (a[i] != b[i]) return false;
    return true;
  }

 private:
  static int32_t read(const void* data, bool is_narrow, size_t place) {
    return is_narrow ? static_cast<const uint16_t*>(data)[place] : static_cast<const int32_t*>(data)[place];
  }

  const void* data_ = nullptr;
  size_t size_ = 0;
  bool is_narrow_ = false;
};

}  // namespace assay::data
