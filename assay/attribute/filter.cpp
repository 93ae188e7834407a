#include "assay/attribute/filter.h"

#include <algorithm>
#include <iterator>

#include "assay/attribute/token_index.h"
#include "assay/core/error.h"
#include "assay/core/twin.h"

namespace assay::attribute {

Filtered filter_documents(const FactoryCall& filter, const data::Dataset& corpus, std::span<const data::Query> queries,
                          size_t skips, const std::string& cache_folder, Progress& progress) {
  std::vector<Bm25::Terms> questions;
  for (const data::Query& query : queries) {
    const std::vector<int32_t>& tokens = query.example.tokens;
    questions.emplace_back(tokens.begin() + static_cast<std::ptrdiff_t>(std::min(skips, tokens.size())), tokens.end());
  }
  const std::string key = index_key(corpus);
  const TokenIndex index(corpus,
                         cache_folder.empty()
                             ? curvature::Workspace()
                             : curvature::Workspace(cache_folder + "/token-index-" + key.substr(0, 16), key, progress),
                         progress);
  Filtered kept{.rows = {}, .of_each = {}, .searched = corpus.size()};
  for (const auto& found : index.best(questions, filter.integer("count"), filter.number("k1"), filter.number("b"))) {
    kept.of_each.push_back(std::ssize(found));
    if (ASSAY_TWIN("attribute.filter_of_the_first_question") && kept.of_each.size() > 1) continue;
    for (const TokenIndex::Found& one : found) kept.rows.push_back(one.row);
  }
  std::ranges::sort(kept.rows);
  kept.rows.erase(std::unique(kept.rows.begin(), kept.rows.end()), kept.rows.end());
  if (kept.rows.empty()) {
    throw Error(ErrorKind::Data, "filtering the corpus by " + filter.canonical() +
                                     ": a document must share a token with a question, but none does; leave --filter "
                                     "out, or ask otherwise");
  }
  return kept;
}

}  // namespace assay::attribute
