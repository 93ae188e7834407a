// Arrays for models without text: JSONL, one example a line, {"features": [...], "label": 3} for classifiers or
// {"features": [...], "values": [...]} for regression. Every line has the same number of features.
#pragma once

#include <cstdint>
#include <string>

#include "assay/data/dataset.h"

namespace assay::data {

/// What a model takes and gives.
struct ArrayShape {
  int64_t features = 0;
  int64_t classes = 0;  ///< classifiers; 0 for regression
  int64_t values = 0;   ///< regression; 0 for classifiers
};

/// Reads at most `limit` examples (0: all) with their ids. Throws Error(Data) by line: no JSON object, a missing key, a
/// wrong length, a label outside 0 … classes - 1, a number that is not finite; and for a file without an example.
Dataset read_arrays(const std::string& path, const ArrayShape& shape, int64_t limit = 0);

}  // namespace assay::data
