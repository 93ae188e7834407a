#include "assay/attribute/trust.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "assay/attribute/shown.h"
#include "assay/core/plan.h"
#include "assay/core/twin.h"

namespace assay::attribute {
namespace {

constexpr int64_t kTrustTop = 10, kTrustRandom = 30;
constexpr int64_t kCorpusToTop = 4;  // no more than every fourth document is a top one

}  // namespace

TrustCounts trust_counts(int64_t documents) {
  if (ASSAY_TWIN("attribute.everything_is_top")) return {std::min(kTrustTop, documents), kTrustRandom};
  const int64_t top = std::min({kTrustTop, std::max<int64_t>(1, documents / kCorpusToTop), documents});
  return {top, std::min(kTrustRandom, documents - top)};
}

std::vector<train::TailPatchRequest> trust_requests(const at::Tensor& scores, int64_t queries, uint64_t seed,
                                                    std::span<const int64_t> among) {
  const int64_t documents = scores.size(1);
  const TrustCounts counts = trust_counts(documents);
  std::vector<train::TailPatchRequest> requests;
  std::vector<int64_t> all_top;
  for (int64_t q = 0; q < queries; ++q) {
    const at::Tensor row = scores.select(0, q).to(at::kDouble).contiguous();
    const std::span<const double> values(row.const_data_ptr<double>(), static_cast<size_t>(documents));
    requests.push_back({.top = strongest_supporters(values, counts.top, /*only_positive=*/false, among)});
    all_top.insert(all_top.end(), requests.back().top.begin(), requests.back().top.end());
  }
  const std::vector<int64_t> shared = random_rows(documents, counts.random, all_top, seed);
  const bool is_enough = static_cast<int64_t>(shared.size()) == counts.random;
  for (auto& request : requests)
    request.random = is_enough ? shared : random_rows(documents, counts.random, request.top, seed);
  return requests;
}

int64_t trust_memory_bytes(int64_t memory_bytes) {
  return std::min(train::TailPatchOptions{}.memory_bytes, memory_bytes);
}

std::vector<std::string> trust_warnings(int64_t documents, const std::vector<train::TailPatchComparison>& comparisons) {
  const auto lacks_a_side = [](const train::TailPatchComparison& each) {
    return each.top.empty() || each.random.empty();
  };
  const auto lacking = std::ranges::count_if(comparisons, lacks_a_side);
  if (documents == 1)
    return {"The trust check compared nothing: there is one document only, and no other to set it against."};
  if (lacking > 0) {
    return {fmt::format("The trust check compared nothing for {} of {}: of {} too few have a token to learn from.",
                        lacking, format_counted(std::ssize(comparisons), "question"),
                        format_counted(documents, "document"))};
  }
  const TrustCounts counts = trust_counts(documents);
  if (counts.top > 1) return {};
  return {fmt::format(
      "The trust check compared one top document with {}: of {} documents no more can be set apart, and one is no "
      "sample.",
      counts.random, documents)};
}

}  // namespace assay::attribute
