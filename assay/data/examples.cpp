#include "assay/data/examples.h"

#include <utility>

namespace assay::data {
namespace {

/// Some rows of packed examples.
class ChosenRows final : public PackedExamples {
 public:
  ChosenRows(std::shared_ptr<const PackedExamples> all, std::span<const int64_t> rows)
      : all_(std::move(all)), rows_(rows.begin(), rows.end()) {
    for (const int64_t row : rows_) ASSAY_ASSERT(row >= 0 && row < all_->size());
  }

  int64_t size() const override { return static_cast<int64_t>(rows_.size()); }
  ExampleView at(int64_t row) const override { return all_->at(rows_[static_cast<size_t>(row)]); }

 private:
  std::shared_ptr<const PackedExamples> all_;
  std::vector<int64_t> rows_;
};

}  // namespace

ExampleView::operator Example() const {
  Example copy;
  copy.id = id;
  copy.tokens = tokens.to_vector();
  copy.first_counted = first_counted;
  copy.features.assign(features.begin(), features.end());
  copy.label = label;
  copy.values.assign(values.begin(), values.end());
  return copy;
}

Examples Examples::chosen(std::span<const int64_t> rows) const {
  if (packed_) return Examples(std::make_shared<ChosenRows>(packed_, rows));
  Examples some;
  some.list_.reserve(rows.size());
  for (const int64_t row : rows) {
    ASSAY_ASSERT(row >= 0 && static_cast<size_t>(row) < list_.size());
    some.list_.push_back(list_[static_cast<size_t>(row)]);
  }
  return some;
}

std::vector<Example>& Examples::list() {
  if (packed_) {
    const std::shared_ptr<const PackedExamples> packed = std::move(packed_);
    packed_ = nullptr;
    list_.reserve(static_cast<size_t>(packed->size()));
    for (int64_t row = 0; row < packed->size(); ++row) list_.push_back(packed->at(row));
  }
  return list_;
}

}  // namespace assay::data
