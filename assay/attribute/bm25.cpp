#include "assay/attribute/bm25.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <string>
#include <unordered_set>

#include "assay/attribute/methods.h"
#include "assay/core/error.h"
#include "assay/core/hash.h"

namespace assay::attribute {
namespace {

bool is_word_byte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Calls `visit` with the terms of each document, in their order.
void visit_terms(const Documents& documents, bool are_words,
                 const std::function<void(const Bm25::Terms& terms)>& visit) {
  if (are_words) {
    ASSAY_ASSERT(documents.texts && documents.texts->size() == documents.dataset.size());
    documents.texts->visit_all([&](int64_t, std::string_view text) { visit(words_of(text)); });
  } else {
    for (const data::ExampleView example : documents.dataset.examples)
      visit({example.tokens.begin(), example.tokens.end()});
  }
}

class Bm25Scorer final : public Scorer {
 public:
  Bm25Scorer(const FactoryCall& call, const Inputs& inputs)
      : are_words_(call.is_word("unit", "words")), index_(call.number("k1"), call.number("b")) {
    visit_terms(inputs.train, are_words_, [this](const Bm25::Terms& terms) { index_.add(terms); });
    visit_terms(inputs.queries, are_words_, [this](const Bm25::Terms& terms) { queries_.push_back(terms); });
  }

  Meaning meaning() const override {
    return {.title = are_words_ ? "Word overlap (BM25)" : "Token overlap (BM25)", .unit = "BM25", .is_signed = false};
  }

  Scores score(const Documents& documents, const Parts& parts, curvature::Workspace&, Progress&) const override {
    if (parts.any()) refuse_parts("bm25");
    at::Tensor by_document = at::empty({documents.dataset.size(), static_cast<int64_t>(queries_.size())}, at::kFloat);
    float* out = by_document.data_ptr<float>();
    visit_terms(documents, are_words_, [&](const Bm25::Terms& terms) {
      const Bm25::Counted counted = Bm25::count(terms);
      for (const Bm25::Terms& query : queries_) *out++ = static_cast<float>(index_.score(query, counted));
    });
    return {.total = by_document.t().contiguous()};
  }

 private:
  bool are_words_;
  Bm25 index_;
  std::vector<Bm25::Terms> queries_;
};

}  // namespace

Bm25::Bm25(std::span<const Terms> collection, double k1, double b) : Bm25(k1, b) {
  for (const Terms& document : collection) add(document);
}

void Bm25::add(const Terms& document) {
  ++documents_;
  length_ += static_cast<double>(document.size());
  for (const uint64_t term : std::unordered_set<uint64_t>(document.begin(), document.end())) documents_with_[term] += 1;
}

Bm25::Counted Bm25::count(const Terms& document) {
  Counted counted;
  for (const uint64_t term : document) counted.frequency[term] += 1;
  counted.length = static_cast<double>(document.size());
  return counted;
}

double Bm25::score(const Terms& query, const Counted& document) const {
  const double mean_length = documents_ > 0 ? length_ / documents_ : 0;
  const double relative_length = mean_length > 0 ? document.length / mean_length : 1;
  double score = 0;
  for (const uint64_t term : query) {
    const auto found = document.frequency.find(term);
    const auto known = documents_with_.find(term);
    if (found == document.frequency.end() || known == documents_with_.end()) continue;
    const double idf = std::log1p((documents_ - known->second + 0.5) / (known->second + 0.5));
    score += idf * found->second * (k1_ + 1) / (found->second + k1_ * (1 - b_ + b_ * relative_length));
  }
  return score;
}

Bm25::Terms words_of(std::string_view text) {
  Bm25::Terms words;
  std::string word;
  for (size_t i = 0; i <= text.size(); ++i) {
    const bool is_inner_apostrophe =
        i < text.size() && text[i] == '\'' && !word.empty() && i + 1 < text.size() && is_word_byte(text[i + 1]);
    if (i < text.size() && (is_word_byte(text[i]) || is_inner_apostrophe)) {
      word += lower(text[i]);
    } else if (!word.empty()) {
      words.push_back(hash64(word));
      word.clear();
    }
  }
  return words;
}

std::unique_ptr<Scorer> make_bm25(const FactoryCall& call, const Inputs& inputs, Progress&) {
  return std::make_unique<Bm25Scorer>(call, inputs);
}

}  // namespace assay::attribute
