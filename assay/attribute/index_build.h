// Makes a gradient index (gradient_index.h), or adds documents to one.
//
// The documents are cut into blocks of consecutive rows by shapes alone; every block is one walk through the model and
// one write. Killed at any moment, the same command goes on with the first block that is missing, and what comes out is
// the same bits. What was finished before an append stays as it is and readable until the append is whole; other
// documents that are appended then make an unfinished append go. The curvature is summed over the stored rows as the
// blocks are done (from the disk for those that an earlier run wrote), so that it fits the numbers that a question will
// meet, rounded ones too:
//
//   raw     Σ Z Zᵀ of each layer with no more dimensions than rows; with more, none: the rows themselves serve
//   kfac    the blocks' sums of covariances, decomposed
//   ekfac   the same, and mean squares of the rows in that basis
//
// Sums that exceed the memory are made in several passes over the rows, which read the disk and run no model.
#pragma once

#include <string>
#include <vector>

#include "assay/attribute/gradient_index.h"
#include "assay/attribute/scorer.h"
#include "assay/core/progress.h"
#include "assay/nn/model.h"

namespace assay::attribute {

struct IndexRequest {
  const nn::Model& model;
  const IndexedDocuments& documents;
  std::vector<nn::LayerId> layers;  ///< ascending
  IndexSettings settings = {};
  std::string model_hash = {}, tokenizer_hash = {};
  int64_t context = 0;
  std::string long_texts = "cut";
  int64_t memory_bytes = int64_t{4} << 30;  ///< for sums, for a block, and for what one batch keeps
  std::string cache_folder = {};            ///< where covariances for principal projections are kept; empty: nowhere
  int64_t rows_per_block = 0;               ///< 0: by the rows' size and number
  bool append = false;                      ///< the documents go behind those that the index holds
  bool restart = false;                     ///< what another run made there is thrown away
};

/// The request as the inputs of a method, for fits and plans.
Inputs inputs_of(const IndexRequest& request);
/// What an index of this request says of itself.
IndexAbout about_of(const IndexRequest& request);

/// Rows of a block: a sixty-fourth of all, but no fewer than fill 4 MiB and two batches, and no more than a gibibyte.
int64_t planned_rows_per_block(const IndexAbout& about, const data::Dataset& documents);

struct IndexOutcome {
  int64_t added = 0;       ///< documents that this run brought
  int64_t reused = 0;      ///< of them, rows that an interrupted run had made
  int64_t duplicates = 0;  ///< of them, texts that the index held already
  int64_t dropped = 0;     ///< documents of an unfinished append, which made way for these
  bool was_there = false;  ///< all of it: nothing was done
};

/// What becomes of an append that was not finished where other documents are appended.
std::string dropped_sentence(int64_t documents);

/// An unfinished append of other documents is dropped, with a note. Throws Error(Data) where the folder holds another
/// index or other documents, Error(Resource) where another process
/// writes it or the disk is full.
IndexOutcome build_index(const std::string& folder, const IndexRequest& request, Progress& progress);

}  // namespace assay::attribute
