// Okapi BM25 (Robertson & Zaragoza 2009): word overlap between query and document, blind to the model,
//
//   score(q,d) = Σ_{t in q} idf(t) tf (k1 + 1) / (tf + k1 (1 − b + b |d|/avgdl)),   idf = ln(1 + (C − n_t + 0.5)/(n_t +
//   0.5)),
//
// tf occurrences of t in d, n_t of the C documents hold t, |d| terms in d. Exact. A term of the query counts as often
// as it stands there; one that no document holds counts nothing.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace assay::attribute {

class Bm25 {
 public:
  using Terms = std::vector<uint64_t>;  ///< a text as the hashes of its words, or as its token ids

  /// A collection of no document yet; or of these.
  Bm25(double k1, double b) : k1_(k1), b_(b) {}
  Bm25(std::span<const Terms> collection, double k1, double b);

  /// Counts one more document of the collection. 16 to 40 bytes a term that differs from all others are kept of it.
  void add(const Terms& document);

  /// A document with its terms counted, for many queries.
  struct Counted {
    std::unordered_map<uint64_t, double> frequency;
    double length = 0;
  };
  static Counted count(const Terms& document);
  double score(const Terms& query, const Counted& document) const;

 private:
  double k1_, b_, length_ = 0, documents_ = 0;
  std::unordered_map<uint64_t, double> documents_with_;  // n_t
};

/// Words of a text, lower-cased: runs of letters, digits and bytes beyond ASCII; an apostrophe inside a word is part of
/// it.
Bm25::Terms words_of(std::string_view text);

}  // namespace assay::attribute
