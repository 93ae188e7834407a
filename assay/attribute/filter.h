// Which documents of a corpus are scored at all: per question the best by word overlap, over an inverted index of the
// corpus's tokens (token_index.h), and all of them together for every question. Gradients are then taken of these
// alone; a curvature is still fitted on the whole corpus.
//
// Approximate in what it leaves out: a document that shares no token with any question is never found, however much it
// influences the answer. What is kept is scored exactly as it would be without the filter.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "assay/core/factory.h"
#include "assay/core/progress.h"
#include "assay/data/dataset.h"
#include "assay/data/queries.h"

namespace assay::attribute {

struct Filtered {
  std::vector<int64_t> rows;     ///< of the corpus, ascending: kept for one question or another
  std::vector<int64_t> of_each;  ///< how many were kept for each question
  int64_t searched = 0;          ///< examples of the corpus
  double share() const { return searched > 0 ? static_cast<double>(rows.size()) / static_cast<double>(searched) : 0; }
};

/// Keeps documents by a filter of filter_table(). A question's terms are its tokens, prompt and completion, without the
/// BOS that `skips` says it begins with. The inverted index is kept below `cache_folder` (empty: in memory). Throws
/// Error(Data) where no document shares a token with any question.
Filtered filter_documents(const FactoryCall& filter, const data::Dataset& corpus, std::span<const data::Query> queries,
                          size_t skips, const std::string& cache_folder, Progress& progress);

}  // namespace assay::attribute
