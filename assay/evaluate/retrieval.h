// Did the scores find what was planted? Metrics of one query's ranking against its known relevant documents (fact
// tracing). Ranks go by falling score; among equal scores the lower index comes first, so that a method which cannot
// tell documents apart is not credited with luck that depends on the sort. Average the values over queries; NaN where a
// query has no relevant document.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace assay::evaluate {

/// The first `count` document indices by falling score (all, if there are fewer). scores: [N].
std::vector<size_t> top(std::span<const float> scores, size_t count);
/// The same from the other end: the lowest score first.
std::vector<size_t> bottom(std::span<const float> scores, size_t count);

/// Of the first k documents, the share that is relevant. ranking: document indices, best first; is_relevant (0 or 1):
/// [N].
double precision_at(size_t k, std::span<const size_t> ranking, std::span<const uint8_t> is_relevant);

/// Of the relevant documents, the share that is among the first k.
double recall_at(size_t k, std::span<const size_t> ranking, std::span<const uint8_t> is_relevant);

/// 1 / (rank of the first relevant document), 0 where the ranking holds none.
double reciprocal_rank(std::span<const size_t> ranking, std::span<const uint8_t> is_relevant);

/// Of documents with equal scores none is preferred: the expectation of precision_at over all orders of the ties. What
/// a method that scores many documents zero deserves. scores: [N].
double expected_precision_at(size_t k, std::span<const float> scores, std::span<const uint8_t> is_relevant);

}  // namespace assay::evaluate
