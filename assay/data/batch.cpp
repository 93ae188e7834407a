#include "assay/data/batch.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "assay/core/error.h"

namespace assay::data {
namespace {

int64_t positions_of(const ExampleView& example) {
  return std::max<int64_t>(1, static_cast<int64_t>(example.tokens.size()) - 1);  // one token: one masked position
}

void fill_text(const ExampleView& example, int64_t row, PaddingSide side, Batch& batch) {
  const int64_t width = batch.tokens.size(1), real = static_cast<int64_t>(example.tokens.size()) - 1;
  const int64_t skipped = side == PaddingSide::Left ? width - real : 0, place = row * width + skipped;
  if (side == PaddingSide::Left) batch.first.data_ptr<int64_t>()[row] = skipped;
  int64_t* tokens = batch.tokens.data_ptr<int64_t>() + place;
  int64_t* targets = batch.targets.data_ptr<int64_t>() + place;
  bool* mask = batch.mask.data_ptr<bool>() + place;
  bool* counted = batch.counted.data_ptr<bool>() + place;
  for (int64_t t = 0; t < real; ++t) {
    const auto token = static_cast<size_t>(t);
    tokens[t] = example.tokens[token];
    mask[t] = true;
    counted[t] = t + 1 >= example.first_counted;
    if (counted[t]) targets[t] = example.tokens[token + 1];
  }
  if (real < width) batch.is_padded = true;
}

}  // namespace

Batch make_batch(const Dataset& dataset, std::span<const int64_t> rows, at::ScalarType dtype, int64_t positions,
                 PaddingSide side) {
  ASSAY_ASSERT(!rows.empty());
  const auto count = static_cast<int64_t>(rows.size());
  const auto example_at = [&](int64_t row) { return dataset.examples.at(static_cast<size_t>(row)); };
  Batch batch;
  batch.rows.assign(rows.begin(), rows.end());
  for (int64_t row : rows) batch.ids.push_back(example_at(row).id);

  const ExampleView first = example_at(rows[0]);
  if (!first.tokens.empty()) {
    int64_t width = positions;
    for (int64_t row : rows) width = std::max(width, positions_of(example_at(row)));
    batch.tokens = at::zeros({count, width}, at::kLong);
    batch.targets = at::zeros({count, width}, at::kLong);
    batch.mask = at::zeros({count, width}, at::kBool);
    batch.counted = at::zeros({count, width}, at::kBool);
    if (side == PaddingSide::Left) batch.first = at::zeros({count}, at::kLong);
    for (int64_t b = 0; b < count; ++b) {
      const ExampleView example = example_at(rows[static_cast<size_t>(b)]);
      ASSAY_ASSERT(!example.tokens.empty() && example.first_counted >= 1);
      fill_text(example, b, side, batch);
    }
    if (!batch.is_padded) batch.first.reset();
    return batch;
  }

  const auto width = static_cast<int64_t>(first.features.size());
  const auto outputs = static_cast<int64_t>(first.values.size());
  at::Tensor features = at::empty({count, width}, at::kFloat);
  at::Tensor values = at::empty({count, 1, outputs}, at::kFloat);
  batch.targets = at::zeros({count, 1}, at::kLong);
  batch.mask = at::ones({count, 1}, at::kBool);
  batch.counted = at::ones({count, 1}, at::kBool);
  for (int64_t b = 0; b < count; ++b) {
    const ExampleView example = example_at(rows[static_cast<size_t>(b)]);
    ASSAY_ASSERT(example.tokens.empty() && example.features.size() == first.features.size() &&
                 example.values.size() == first.values.size());
    std::copy(example.features.begin(), example.features.end(), features.data_ptr<float>() + b * width);
    std::copy(example.values.begin(), example.values.end(), values.data_ptr<float>() + b * outputs);
    batch.targets.data_ptr<int64_t>()[b] = std::max<int32_t>(0, example.label);
  }
  batch.features = features.to(dtype);
  if (outputs > 0) batch.values = values.to(dtype);
  return batch;
}

Batch prompt_batch(std::span<const int32_t> tokens) {
  return prompt_batch(std::vector<std::vector<int32_t>>{{tokens.begin(), tokens.end()}});
}

Batch prompt_batch(const std::vector<std::vector<int32_t>>& texts) {
  ASSAY_ASSERT(!texts.empty());
  const auto count = static_cast<int64_t>(texts.size());
  int64_t width = 0;
  for (const auto& text : texts) width = std::max(width, static_cast<int64_t>(text.size()));
  Batch batch;
  batch.tokens = at::zeros({count, width}, at::kLong);
  batch.targets = at::zeros({count, width}, at::kLong);
  batch.mask = at::zeros({count, width}, at::kBool);
  batch.counted = at::zeros({count, width}, at::kBool);
  batch.first = at::empty({count}, at::kLong);
  for (int64_t b = 0; b < count; ++b) {
    const auto& text = texts[static_cast<size_t>(b)];
    ASSAY_ASSERT(!text.empty());
    const int64_t skipped = width - static_cast<int64_t>(text.size());
    batch.ids.push_back(static_cast<ExampleId>(b));
    batch.rows.push_back(b);
    batch.first.data_ptr<int64_t>()[b] = skipped;
    std::copy(text.begin(), text.end(), batch.tokens.data_ptr<int64_t>() + b * width + skipped);
    std::fill_n(batch.mask.data_ptr<bool>() + b * width + skipped, text.size(), true);
    if (skipped > 0) batch.is_padded = true;
  }
  if (!batch.is_padded) batch.first.reset();
  return batch;
}

}  // namespace assay::data
