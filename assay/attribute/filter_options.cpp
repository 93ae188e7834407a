#include "assay/attribute/filter_options.h"

#include <algorithm>
#include <vector>

#include "assay/attribute/methods_options.h"
#include "assay/core/error.h"

namespace assay::attribute {

namespace {

/// An argument of the method of the same name: it means the same here.
FactoryArgument bm25_argument(const char* name) {
  const auto methods = method_table();
  const auto method = std::ranges::find(methods, "bm25", &FactorySpec::name);
  ASSAY_ASSERT(method != methods.end());
  const auto argument = std::ranges::find(method->arguments, name, &FactoryArgument::name);
  ASSAY_ASSERT(argument != method->arguments.end());
  return *argument;
}

}  // namespace

std::span<const FactorySpec> filter_table() {
  static const std::vector<FactorySpec> table{
      {"bm25",
       "only documents that share tokens with a question: the best of each (Okapi BM25)",
       {{.name = "count",
         .type = ArgumentType::Integer,
         .default_value = "10000",
         .doc = "documents kept for each question",
         .minimum = 1},
        bm25_argument("k1"),
        bm25_argument("b")}}};
  return table;
}

}  // namespace assay::attribute
