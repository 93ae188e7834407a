#include "assay/attribute/shown.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "assay/core/philox.h"

namespace assay::attribute {
namespace {

std::vector<double> row_of(const at::Tensor& scores, int64_t query) {
  const at::Tensor row = scores.select(0, query).to(at::kDouble).contiguous();
  return {row.const_data_ptr<double>(), row.const_data_ptr<double>() + row.numel()};
}

template <class Before>
std::vector<int64_t> ordered(std::span<const double> scores, int64_t count, const Before& before) {
  std::vector<int64_t> rows(scores.size());
  std::iota(rows.begin(), rows.end(), 0);
  const auto kept = static_cast<std::ptrdiff_t>(std::min<int64_t>(count, static_cast<int64_t>(rows.size())));
  std::partial_sort(rows.begin(), rows.begin() + kept, rows.end(), [&](int64_t a, int64_t b) {
    const double x = scores[static_cast<size_t>(a)], y = scores[static_cast<size_t>(b)];
    return x != y ? before(x, y) : a < b;
  });
  rows.resize(static_cast<size_t>(kept));
  return rows;
}

}  // namespace

std::vector<int64_t> strongest_supporters(std::span<const double> scores, int64_t count, bool only_positive) {
  std::vector<int64_t> rows = ordered(scores, count, std::greater<>());
  if (only_positive) std::erase_if(rows, [&](int64_t row) { return scores[static_cast<size_t>(row)] <= 0; });
  return rows;
}

std::vector<int64_t> strongest_opponents(std::span<const double> scores, int64_t count) {
  std::vector<int64_t> rows = ordered(scores, count, std::less<>());
  std::erase_if(rows, [&](int64_t row) { return scores[static_cast<size_t>(row)] >= 0; });
  return rows;
}

Shown shown_documents(const Scorer& scorer, const Documents& documents, const at::Tensor& scores, int64_t query, int64_t count,
                      Progress& progress) {
  const Meaning meaning = scorer.meaning();
  const std::vector<double> row = row_of(scores, query);
  Shown shown;
  shown.top = strongest_supporters(row, count, meaning.is_signed);
  if (meaning.is_signed) shown.bottom = strongest_opponents(row, count);
  std::vector<int64_t> rows = shown.top;
  rows.insert(rows.end(), shown.bottom.begin(), shown.bottom.end());
  if (!meaning.has_parts || rows.empty()) return shown;

  const data::Dataset subset = data::subset(documents.dataset, rows);
  curvature::Workspace in_memory;
  const Scores parts = scorer.score({subset}, {.per_token = true, .per_layer = true, .queries = {query}}, in_memory, progress);
  for (size_t i = 0; i < rows.size(); ++i) {
    const at::Tensor at_positions = parts.per_token[0][static_cast<int64_t>(i)].to(at::kDouble).contiguous();
    const size_t tokens = subset.examples[i].tokens.size();
    std::vector<double> at_tokens(tokens, 0.0);
    std::copy_n(at_positions.const_data_ptr<double>(), tokens > 0 ? tokens - 1 : 0, at_tokens.begin() + (tokens > 0 ? 1 : 0));
    shown.token_scores.push_back(std::move(at_tokens));
  }
  const at::Tensor by_layer =
      parts.per_layer.select(1, 0).narrow(1, 0, static_cast<int64_t>(shown.top.size())).sum({1}).to(at::kDouble).contiguous();
  shown.layer_scores.assign(by_layer.const_data_ptr<double>(), by_layer.const_data_ptr<double>() + by_layer.numel());
  return shown;
}

std::vector<int64_t> random_rows(int64_t total, int64_t count, std::span<const int64_t> excluded, uint64_t seed) {
  std::set<int64_t> rows;
  const std::set<int64_t> out(excluded.begin(), excluded.end());
  const int64_t available = total - static_cast<int64_t>(out.size());
  for (uint64_t draw = 0; static_cast<int64_t>(rows.size()) < std::min(count, available); ++draw) {
    const auto row = static_cast<int64_t>(
        random_below(static_cast<uint64_t>(total), seed, stream_of("attribute.random rows"), draw));
    if (!out.contains(row)) rows.insert(row);
  }
  return {rows.begin(), rows.end()};
}

}  // namespace assay::attribute
