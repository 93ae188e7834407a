#include "assay/attribute/token_index.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <queue>
#include <unordered_map>

#include "assay/core/error.h"
#include "assay/core/hash.h"
#include "assay/core/twin.h"

namespace assay::attribute {
namespace {

constexpr int64_t kSegmentTokens = int64_t{1} << 22;

template <class T>
at::Tensor tensor_of(const std::vector<T>& numbers) {
  at::Tensor tensor = at::empty({std::ssize(numbers)}, c10::CppTypeToScalarType<T>::value);
  std::copy(numbers.begin(), numbers.end(), tensor.data_ptr<T>());
  return tensor;
}

template <class T>
std::span<const T> numbers_of(const at::Tensor& tensor) {
  return {tensor.const_data_ptr<T>(), static_cast<size_t>(tensor.numel())};
}

// Rows of the corpus that make up one segment: as many as hold kSegmentTokens, at least one.
std::vector<std::pair<int64_t, int64_t>> segments_of(const data::Dataset& corpus) {
  std::vector<std::pair<int64_t, int64_t>> segments;
  int64_t first = 0, tokens = 0;
  for (int64_t row = 0; row < corpus.size(); ++row) {
    tokens += std::ssize(corpus.examples[static_cast<size_t>(row)].tokens);
    if (tokens < kSegmentTokens && row + 1 < corpus.size()) continue;
    segments.emplace_back(first, row + 1);
    first = row + 1;
    tokens = 0;
  }
  return segments;
}

curvature::TensorMap segment_block(const data::Dataset& corpus, int64_t first, int64_t end) {
  struct Occurrence {
    int32_t token, document;
    auto operator<=>(const Occurrence&) const = default;
  };
  std::vector<Occurrence> occurrences;
  std::vector<int32_t> lengths;
  for (int64_t row = first; row < end; ++row) {
    const auto text = corpus.examples[static_cast<size_t>(row)].tokens;
    lengths.push_back(static_cast<int32_t>(text.size()));
    for (const int32_t token : text) occurrences.push_back({token, static_cast<int32_t>(row - first)});
  }
  std::sort(occurrences.begin(), occurrences.end());
  std::vector<int32_t> tokens, documents, counts;
  std::vector<int64_t> starts;
  for (size_t i = 0; i < occurrences.size(); ++i) {
    if (i > 0 && occurrences[i] == occurrences[i - 1]) {
      if (!ASSAY_TWIN("attribute.postings_without_counts")) ++counts.back();
      continue;
    }
    if (tokens.empty() || tokens.back() != occurrences[i].token) {
      tokens.push_back(occurrences[i].token);
      starts.push_back(std::ssize(documents));
    }
    documents.push_back(occurrences[i].document);
    counts.push_back(1);
  }
  starts.push_back(std::ssize(documents));
  return {{"tokens", tensor_of(tokens)},       {"starts", tensor_of(starts)},
          {"documents", tensor_of(documents)}, {"counts", tensor_of(counts)},
          {"lengths", tensor_of(lengths)},     {"first", tensor_of(std::vector<int64_t>{first})}};
}

// Worst first, so that the worst of those kept stands on top: a lower score, or of equals the later document.
struct IsBetter {
  bool operator()(const TokenIndex::Found& a, const TokenIndex::Found& b) const {
    return a.score != b.score ? a.score > b.score : a.row < b.row;
  }
};
using Kept = std::priority_queue<TokenIndex::Found, std::vector<TokenIndex::Found>, IsBetter>;

void keep(Kept& kept, const TokenIndex::Found& found, int64_t most) {
  if (std::ssize(kept) < most) return kept.push(found);
  if (!IsBetter()(found, kept.top())) return;
  kept.pop();
  kept.push(found);
}

}  // namespace

struct TokenIndex::Segment {
  curvature::TensorMap block;
  std::span<const int32_t> tokens, documents, counts, lengths;
  std::span<const int64_t> starts;
  int64_t first = 0;

  /// Places begin .. end of a token's postings; an empty range where no document holds it.
  std::pair<size_t, size_t> postings(uint64_t token) const {
    const auto wanted = static_cast<int32_t>(token);
    const auto found = std::lower_bound(tokens.begin(), tokens.end(), wanted);
    if (found == tokens.end() || *found != wanted) return {0, 0};
    const auto place = static_cast<size_t>(found - tokens.begin());
    return {static_cast<size_t>(starts[place]), static_cast<size_t>(starts[place + 1])};
  }
};

std::string index_key(const data::Dataset& corpus) {
  Hasher hasher;
  hasher.add("token index 1").add(corpus.content_hash()).add(static_cast<uint64_t>(kSegmentTokens));
  return hasher.digest128();
}

TokenIndex::TokenIndex(const data::Dataset& corpus, curvature::Workspace workspace, Progress& progress)
    : workspace_(std::move(workspace)), documents_(corpus.size()), tokens_(static_cast<double>(corpus.tokens())) {
  const auto segments = segments_of(corpus);
  segments_ = segments.size();
  progress.begin("token index", documents_, "documents");
  for (size_t i = 0; i < segments_; ++i) {
    const auto [first, end] = segments[i];
    if (!workspace_.get(block_of(i))) workspace_.put(block_of(i), segment_block(corpus, first, end));
    progress.advance(end - first);
  }
  progress.end();
}

std::string TokenIndex::block_of(size_t segment) const {
  return fmt::format("segment.{:06}", segment);
}

TokenIndex::Segment TokenIndex::read(size_t segment) const {
  Segment found;
  found.block = workspace_.get(block_of(segment)).value();
  found.tokens = numbers_of<int32_t>(found.block.at("tokens"));
  found.documents = numbers_of<int32_t>(found.block.at("documents"));
  found.counts = numbers_of<int32_t>(found.block.at("counts"));
  found.lengths = numbers_of<int32_t>(found.block.at("lengths"));
  found.starts = numbers_of<int64_t>(found.block.at("starts"));
  found.first = numbers_of<int64_t>(found.block.at("first"))[0];
  return found;
}

std::vector<std::vector<TokenIndex::Found>> TokenIndex::best(std::span<const Bm25::Terms> questions, int64_t most,
                                                             double k1, double b) const {
  std::unordered_map<uint64_t, double> holders;  // n_t of the questions' tokens
  for (const Bm25::Terms& question : questions) {
    for (const uint64_t token : question) holders.emplace(token, 0);
  }
  for (size_t i = 0; i < segments_; ++i) {
    const Segment segment = read(i);
    for (auto& [token, count] : holders) {
      const auto [begin, end] = segment.postings(token);
      count += static_cast<double>(end - begin);
    }
  }
  const auto count = static_cast<double>(documents_);
  const double mean_length = tokens_ / std::max(1.0, count);
  std::vector<Kept> kept(questions.size());
  for (size_t i = 0; i < segments_; ++i) {
    const Segment segment = read(i);
    std::vector<double> scores(segment.lengths.size());
    for (size_t q = 0; q < questions.size(); ++q) {
      std::fill(scores.begin(), scores.end(), 0.0);
      for (const uint64_t token : questions[q]) {
        const double known = holders.at(token), idf = std::log1p((count - known + 0.5) / (known + 0.5));
        const auto [begin, end] = segment.postings(token);
        for (size_t place = begin; place < end; ++place) {
          const auto document = static_cast<size_t>(segment.documents[place]);
          const auto frequency = static_cast<double>(segment.counts[place]);
          const double length = mean_length > 0 ? static_cast<double>(segment.lengths[document]) / mean_length : 1;
          scores[document] += idf * frequency * (k1 + 1) / (frequency + k1 * (1 - b + b * length));
        }
      }
      for (size_t d = 0; d < scores.size(); ++d) {
        if (scores[d] > 0) keep(kept[q], {segment.first + static_cast<int64_t>(d), scores[d]}, most);
      }
    }
  }
  std::vector<std::vector<Found>> found(questions.size());
  for (size_t q = 0; q < questions.size(); ++q) {
    for (; !kept[q].empty(); kept[q].pop()) found[q].push_back(kept[q].top());
    std::reverse(found[q].begin(), found[q].end());
  }
  return found;
}

}  // namespace assay::attribute
