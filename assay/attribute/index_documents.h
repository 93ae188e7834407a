// The documents of a gradient index, kept beside their gradients: their tokens, so that the strongest can be run
// through the model again, and their texts and sources, so that a result can show them. An index needs no corpus any
// more, and cannot be read beside the wrong one. Blocks of its Store, by part (what one command added):
//
//   contents.PPPP.BBBBB   tokens, texts and sources of consecutive documents; of arrays, features and targets
//   documents.PPPP        ids, places in the corpus, and where each block of contents ends; written last
//
// Written block by block and read where it is mapped: neither holds a corpus in memory. 2 or 4 bytes a token, the text,
// and about 60 a document on the disk; 17 bytes a document in memory.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "assay/data/dataset.h"
#include "assay/data/example_texts.h"
#include "assay/io/store.h"

namespace assay::attribute {

struct IndexedDocuments {
  data::Dataset dataset;                                      ///< with the ids that assign_ids gives
  std::shared_ptr<const data::ExampleTexts> texts = nullptr;  ///< by example, or null
  std::function<std::string(int64_t row)> source = {};        ///< "stories.txt, document 3", or none
  std::vector<int64_t> document_of = {};  ///< by example: its place in the corpus; empty: the example's own
  std::vector<bool> is_part = {};  ///< by example: whether it holds only a part of its document; empty: none does
  bool adds_bos = false;

  int64_t size() const { return dataset.size(); }
};

/// Marks a part: it is there when its documents are.
std::string documents_block(int64_t part);
/// How many parts a store has, the one that is being appended included.
int64_t parts_of(const io::Store& store);

/// Writes a part. `ids` take the place of those that the documents have: they count texts of the parts before.
void write_documents(io::Store& store, int64_t part, const IndexedDocuments& documents,
                     std::span<const data::ExampleId> ids);

/// The documents of the parts 0 to `parts` - 1; places in the corpus count on from part to part. Verifies every byte.
/// Throws Error(Data) naming the block where the arrays contradict each other.
IndexedDocuments read_documents(const io::Store& store, int64_t parts);

/// The ids of one part.
std::vector<data::ExampleId> document_ids(const io::Store& store, int64_t part);

}  // namespace assay::attribute
