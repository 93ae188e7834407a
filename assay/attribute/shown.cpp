#include "assay/attribute/shown.h"

#include <ATen/ops/tensor.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "assay/core/philox.h"
#include "assay/core/twin.h"

namespace assay::attribute {
namespace {

std::vector<double> row_of(const at::Tensor& scores, int64_t query) {
  const at::Tensor row = scores.select(0, query).to(at::kDouble).contiguous();
  return {row.const_data_ptr<double>(), row.const_data_ptr<double>() + row.numel()};
}

template <class Before>
std::vector<int64_t> ordered(std::span<const double> scores, int64_t count, std::span<const int64_t> among,
                             const Before& before) {
  std::vector<int64_t> rows(among.begin(), among.end());
  if (among.empty() || ASSAY_TWIN("attribute.estimates_among_exact_scores")) {
    rows.resize(scores.size());
    std::iota(rows.begin(), rows.end(), 0);
  }
  const auto kept = static_cast<std::ptrdiff_t>(std::min<int64_t>(count, static_cast<int64_t>(rows.size())));
  std::partial_sort(rows.begin(), rows.begin() + kept, rows.end(), [&](int64_t a, int64_t b) {
    const double x = scores[static_cast<size_t>(a)], y = scores[static_cast<size_t>(b)];
    return x != y ? before(x, y) : a < b;
  });
  rows.resize(static_cast<size_t>(kept));
  return rows;
}

// Scores of the tokens of the documents shown, and of the top ones by layer. rows: [U] those walked, ascending; subset:
// their examples; place: the query's among those scored.
void add_parts(Shown& shown, const Scores& parts, int64_t place, std::span<const int64_t> rows,
               const data::Dataset& subset) {
  const auto column_of = [&](int64_t row) {
    return static_cast<int64_t>(std::ranges::lower_bound(rows, row) - rows.begin());
  };
  std::vector<int64_t> top;
  for (const int64_t row : shown.top) top.push_back(column_of(row));
  std::vector<int64_t> columns = top;
  for (const int64_t row : shown.bottom) columns.push_back(column_of(row));
  for (const int64_t column : columns) {
    const at::Tensor at_positions = parts.per_token[place][column].to(at::kDouble).contiguous();
    const size_t tokens = subset.examples[static_cast<size_t>(column)].tokens.size();
    std::vector<double> at_tokens(tokens, 0.0);
    std::copy_n(at_positions.const_data_ptr<double>(), tokens > 0 ? tokens - 1 : 0,
                at_tokens.begin() + (tokens > 0 ? 1 : 0));
    shown.token_scores.push_back(std::move(at_tokens));
  }
  const at::Tensor of_top = at::tensor(at::IntArrayRef(top.data(), top.size()), at::kLong);
  const at::Tensor by_layer =
      parts.per_layer.select(1, place).index_select(1, of_top).sum({1}).to(at::kDouble).contiguous();
  shown.layer_scores.assign(by_layer.const_data_ptr<double>(), by_layer.const_data_ptr<double>() + by_layer.numel());
}

}  // namespace

std::vector<int64_t> strongest_supporters(std::span<const double> scores, int64_t count, bool only_positive,
                                          std::span<const int64_t> among) {
  std::vector<int64_t> rows = ordered(scores, count, among, std::greater<>());
  if (only_positive) std::erase_if(rows, [&](int64_t row) { return scores[static_cast<size_t>(row)] <= 0; });
  return rows;
}

std::vector<int64_t> strongest_opponents(std::span<const double> scores, int64_t count,
                                         std::span<const int64_t> among) {
  std::vector<int64_t> rows = ordered(scores, count, among, std::less<>());
  std::erase_if(rows, [&](int64_t row) { return scores[static_cast<size_t>(row)] >= 0; });
  return rows;
}

namespace {

Shown ends_of(std::span<const double> scores, int64_t count, bool is_signed, std::span<const int64_t> among) {
  Shown shown;
  shown.top = strongest_supporters(scores, count, is_signed, among);
  if (is_signed) shown.bottom = strongest_opponents(scores, count, among);
  return shown;
}

}  // namespace

std::vector<Shown> shown_documents(const Scorer& scorer, const Documents& documents, const at::Tensor& scores,
                                   std::span<const int64_t> queries, int64_t count, Progress& progress,
                                   std::span<const int64_t> among) {
  const Meaning meaning = scorer.meaning();
  std::vector<Shown> all;
  std::set<int64_t> walked;
  for (const int64_t query : queries) {
    all.push_back(ends_of(row_of(scores, query), count, meaning.is_signed, among));
    walked.insert(all.back().top.begin(), all.back().top.end());
    walked.insert(all.back().bottom.begin(), all.back().bottom.end());
  }
  if (!meaning.has_parts || walked.empty()) return all;

  const std::vector<int64_t> rows(walked.begin(), walked.end());
  const data::Dataset subset = data::subset(documents.dataset, rows);
  curvature::Workspace in_memory;
  const Parts wanted{.per_token = true, .per_layer = true, .queries = {queries.begin(), queries.end()}};
  const Scores parts = scorer.score({subset}, wanted, in_memory, progress);
  for (size_t q = 0; q < all.size(); ++q) {
    const int64_t place = ASSAY_TWIN("attribute.shown_of_the_first_query") ? 0 : static_cast<int64_t>(q);
    add_parts(all[q], parts, place, rows, subset);
  }
  return all;
}

Shown shown_documents(const Scorer& scorer, const Documents& documents, const at::Tensor& scores, int64_t query,
                      int64_t count, Progress& progress) {
  return shown_documents(scorer, documents, scores, std::span(&query, 1), count, progress).front();
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
