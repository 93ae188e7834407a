#include "assay/attribute/methods_options.h"

namespace assay::attribute {
namespace {

// Defaults and their sources: docs/ekfac.md.
FactoryArgument damping() {
  return {.name = "damping",
          .type = ArgumentType::Number,
          .default_value = "0.1",
          .doc = "added to the eigenvalues, as a share of their mean in each layer",
          .minimum = 0};
}

FactoryArgument labels() {
  return {.name = "labels",
          .type = ArgumentType::Choice,
          .default_value = "sampled",
          .doc = "what the curvature is fitted on: draws of the model, their expectation, or the data",
          .choices = {"sampled", "exact", "empirical"}};
}

FactoryArgument rank() {
  return {.name = "rank",
          .type = ArgumentType::Integer,
          .default_value = "full",
          .doc = "of each query's direction in a layer: less memory for many queries",
          .choices = {"full"},
          .minimum = 1};
}

std::vector<FactorySpec> make_table() {
  return {
      {"ekfac", "influence with eigenvalue-corrected Kronecker curvature", {damping(), labels(), rank()}},
      {"kfac", "influence with Kronecker curvature", {damping(), labels(), rank()}},
      {"diagonal", "influence with a diagonal curvature", {damping(), labels(), rank()}},
      {"identity", "dot product of gradients", {}},
      {"cosine", "cosine of gradients", {}},
      {"relatif", "EK-FAC influence divided by the document's own reach (l-RelatIF)", {damping(), labels(), rank()}},
      {"representation", "cosine of the last hidden states, averaged over tokens", {}},
      {"bm25",
       "word overlap, blind to the model (Okapi BM25)",
       {{.name = "unit",
         .type = ArgumentType::Choice,
         .default_value = "words",
         .doc = "what is matched",
         .choices = {"words", "tokens"}},
        {.name = "k1",
         .type = ArgumentType::Number,
         .default_value = "1.2",
         .doc = "saturation of repeated words",
         .minimum = 0},
        {.name = "b",
         .type = ArgumentType::Number,
         .default_value = "0.75",
         .doc = "correction for the document's length",
         .minimum = 0,
         .maximum = 1}}},
      {"random",
       "random numbers, the floor",
       {{.name = "seed", .type = ArgumentType::Integer, .default_value = "0", .doc = "of the numbers", .minimum = 0}}},
  };
}

}  // namespace

std::span<const FactorySpec> method_table() {
  static const std::vector<FactorySpec> table = make_table();
  return table;
}

}  // namespace assay::attribute
