// What an index takes to make and a question takes to answer from it, counted before anything is computed.
#pragma once

#include <cstdint>

#include "assay/attribute/index_build.h"
#include "assay/core/plan.h"

namespace assay::attribute {

/// Bytes on disk of so many rows, their scales and ids.
int64_t row_bytes(const IndexAbout& about, int64_t rows);

/// Adds the stages of build_index. `rows_before`: those that the index holds already, where documents are appended.
void add_index_stages(Plan& plan, const IndexRequest& request, int64_t rows_before);

/// What is asked of an index.
struct IndexQuestion {
  bool needs_self = false;  ///< the documents' own influence, too
  int64_t whole_rows = 0;   ///< of scores, that are kept
  int64_t rescored = 0;     ///< documents scored again, at most
};

/// Adds the stages of answering `inputs.queries` from inputs.index; fitting and scoring again are those of `exact`.
void add_store_stages(Plan& plan, const Inputs& inputs, const IndexQuestion& question, const FactoryCall& exact);

}  // namespace assay::attribute
