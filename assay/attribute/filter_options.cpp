#include "assay/attribute/filter_options.h"

#include <vector>

namespace assay::attribute {

std::span<const FactorySpec> filter_table() {
  static const std::vector<FactorySpec> table{
      {"bm25",
       "only documents that share tokens with a question: the best of each (Okapi BM25)",
       {{.name = "count",
         .type = ArgumentType::Integer,
         .default_value = "10000",
         .doc = "documents kept for each question",
         .minimum = 1},
        {.name = "k1",
         .type = ArgumentType::Number,
         .default_value = "1.2",
         .doc = "saturation of repeated tokens",
         .minimum = 0},
        {.name = "b",
         .type = ArgumentType::Number,
         .default_value = "0.75",
         .doc = "correction for the document's length",
         .minimum = 0,
         .maximum = 1}}}};
  return table;
}

}  // namespace assay::attribute
