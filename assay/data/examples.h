// The examples of a dataset: a list in memory, or packed in blocks of tokens (token_block.h), in memory or mapped from
// token shards. Reading is the same for both and copies nothing; only a list can be changed, so that changing packed
// examples first makes a list of them, in memory.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <span>
#include <vector>

#include "assay/data/token_view.h"

namespace assay::data {

using ExampleId = uint64_t;

struct Example {
  ExampleId id = 0;
  std::vector<int32_t> tokens;  ///< text: [T] token ids, BOS included where the policy says so
  int32_t first_counted = 1;    ///< text: tokens before this position are context, their loss does not count (>= 1)
  std::vector<float> features;  ///< arrays: [D]
  int32_t label = -1;           ///< arrays: the class, -1 where there is none
  std::vector<float> values;    ///< arrays: regression targets [K]
};

/// An example as it is read: valid as long as the examples it came from are there and unchanged.
struct ExampleView {
  ExampleId id = 0;
  TokenView tokens;
  int32_t first_counted = 1;
  std::span<const float> features;
  int32_t label = -1;
  std::span<const float> values;

  ExampleView() = default;
  ExampleView(const Example& example)
      : id(example.id),
        tokens(example.tokens),
        first_counted(example.first_counted),
        features(example.features),
        label(example.label),
        values(example.values) {}
  /// A copy that owns what it holds.
  operator Example() const;
};

/// Examples that lie packed somewhere: texts only.
class PackedExamples {
 public:
  virtual ~PackedExamples() = default;
  virtual int64_t size() const = 0;
  virtual ExampleView at(int64_t row) const = 0;
};

class Examples {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = ExampleView;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = ExampleView;

    Iterator() = default;
    Iterator(const Examples& examples, size_t place) : examples_(&examples), place_(place) {}
    ExampleView operator*() const { return (*examples_)[place_]; }
    Iterator& operator++() { return ++place_, *this; }
    Iterator operator++(int) { return {*examples_, place_++}; }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.place_ == b.place_; }

   private:
    const Examples* examples_ = nullptr;
    size_t place_ = 0;
  };
  using value_type = ExampleView;
  using const_iterator = Iterator;

  Examples() = default;
  Examples(std::initializer_list<Example> examples) : list_(examples) {}
  explicit Examples(std::shared_ptr<const PackedExamples> packed) : packed_(std::move(packed)) {}

  // Reading.
  size_t size() const noexcept { return packed_ ? static_cast<size_t>(packed_->size()) : list_.size(); }
  bool empty() const noexcept { return size() == 0; }
  ExampleView operator[](size_t row) const {
    return packed_ ? packed_->at(static_cast<int64_t>(row)) : ExampleView(list_[row]);
  }
  ExampleView at(size_t row) const {
    ASSAY_ASSERT(row < size());
    return (*this)[row];
  }
  ExampleView front() const { return at(0); }
  ExampleView back() const { return at(size() - 1); }
  Iterator begin() const { return {*this, 0}; }
  Iterator end() const { return {*this, size()}; }

  /// The examples `rows`, in that order, with the ids they have; of packed ones without a copy.
  Examples chosen(std::span<const int64_t> rows) const;

  // Changing.
  Example& operator[](size_t row) { return list()[row]; }
  Example& at(size_t row) { return list().at(row); }
  Example& front() { return list().front(); }
  Example& back() { return list().back(); }
  std::vector<Example>::iterator begin() { return list().begin(); }
  std::vector<Example>::iterator end() { return list().end(); }
  void push_back(Example example) { list().push_back(std::move(example)); }
  void reserve(size_t count) { list().reserve(count); }
  void resize(size_t count) { list().resize(count); }
  void clear() { *this = {}; }

 private:
  std::vector<Example>& list();

  std::vector<Example> list_;
  std::shared_ptr<const PackedExamples> packed_;  // or null
};

}  // namespace assay::data
