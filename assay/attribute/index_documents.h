// The documents of a gradient index, kept beside their gradients: their tokens, so that the strongest can be run through
// the model again, and their texts and sources, so that a result can show them. An index needs no corpus any more, and
// cannot be read beside the wrong one. About four bytes a token, and the text.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "assay/data/dataset.h"
#include "assay/io/array.h"

namespace assay::attribute {

struct IndexedDocuments {
  data::Dataset dataset = {};             ///< with the ids that assign_ids gives
  std::vector<std::string> texts = {};    ///< by example, or none
  std::vector<std::string> sources = {};  ///< by example: "stories.txt, document 3", or none
  std::vector<int64_t> document_of = {};  ///< by example: its place in the corpus; empty: the example's own
  std::vector<bool> is_part = {};         ///< by example: whether it holds only a part of its document; empty: none does
  bool adds_bos = false;

  int64_t size() const { return dataset.size(); }
  /// Further documents behind these; their places in the corpus count on. Ids stay as they are: assign_ids over all of
  /// them counts texts that are there already.
  void append(IndexedDocuments further);
};

io::Arrays to_arrays(const IndexedDocuments& documents);
/// Throws Error(Data) naming `source` where the arrays contradict each other.
IndexedDocuments from_arrays(const io::Arrays& arrays, const std::string& source);

}  // namespace assay::attribute
