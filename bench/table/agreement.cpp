#include "bench/table/agreement.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <numeric>
#include <set>

#include "assay/math/correlation.h"

namespace assay::bench {
namespace {

constexpr size_t kStrongest = 10;

/// Places of the documents, strongest first.
std::vector<size_t> order_of(const std::vector<double>& scores) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  return order;
}

}  // namespace

std::vector<std::vector<double>> read_scores(const std::string& path, int64_t queries) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  std::vector<float> numbers(bytes.size() / sizeof(float));
  std::copy_n(bytes.data(), numbers.size() * sizeof(float), reinterpret_cast<char*>(numbers.data()));
  if (numbers.empty()) return {};
  const size_t columns = numbers.size() / static_cast<size_t>(queries);
  std::vector<std::vector<double>> rows;
  for (size_t q = 0; q < static_cast<size_t>(queries); ++q) {
    const auto begin = numbers.begin() + static_cast<std::ptrdiff_t>(q * columns);
    rows.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(columns));
  }
  return rows;
}

Agreement agreement(const std::vector<std::vector<double>>& exact, const std::vector<std::vector<double>>& variant) {
  Agreement mean;
  for (size_t q = 0; q < exact.size(); ++q) {
    mean.spearman += math::spearman(exact[q], variant[q]) / static_cast<double>(exact.size());
    const auto a = order_of(exact[q]), b = order_of(variant[q]);
    const size_t count = std::min(kStrongest, a.size());
    const std::set<size_t> strongest(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(count));
    const auto found =
        std::ranges::count_if(std::span(b).first(count), [&](size_t row) { return strongest.contains(row); });
    mean.top += static_cast<double>(found) / static_cast<double>(count) / static_cast<double>(exact.size());
  }
  return mean;
}

std::vector<std::vector<double>> rescored(const std::vector<std::vector<double>>& exact,
                                          const std::vector<std::vector<double>>& variant, size_t count) {
  std::vector<std::vector<double>> ranks = variant;
  for (size_t q = 0; q < exact.size(); ++q) {
    std::vector<size_t> order = order_of(variant[q]);
    const auto end = order.begin() + static_cast<std::ptrdiff_t>(std::min(count, order.size()));
    std::ranges::stable_sort(order.begin(), end, [&](size_t a, size_t b) { return exact[q][a] > exact[q][b]; });
    for (size_t place = 0; place < order.size(); ++place) ranks[q][order[place]] = -static_cast<double>(place);
  }
  return ranks;
}

}  // namespace assay::bench
