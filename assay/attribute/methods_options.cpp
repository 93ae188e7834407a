#include "assay/attribute/methods_options.h"

#include <algorithm>
#include <array>

#include "assay/core/error.h"

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

/// The methods that differentiate the model; those that fit a curvature first.
constexpr std::array<std::string_view, 6> kOnGradients{"ekfac", "kfac", "diagonal", "relatif", "identity", "cosine"};
constexpr std::array<std::string_view, 4> kOnCurvature{"ekfac", "kfac", "diagonal", "relatif"};

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

bool uses_gradients(const FactoryCall& method) {
  return std::find(kOnGradients.begin(), kOnGradients.end(), method.name()) != kOnGradients.end();
}

bool fits_curvature(const FactoryCall& method) {
  return std::find(kOnCurvature.begin(), kOnCurvature.end(), method.name()) != kOnCurvature.end();
}

void refuse_parts(std::string_view method) {
  throw Error(ErrorKind::Usage,
              "scoring with " + std::string(method) +
                  ": --per-token, --per-layer and --self need a method that differentiates the model, but "
                  "this one does not; leave them out or choose ekfac");
}

void require_sampled_labels(const FactoryCall& method) {
  if (fits_curvature(method) && method.is_word("labels", "sampled")) return;
  throw Error(ErrorKind::Usage, "comparing two draws of labels: --stability needs a method that samples labels, but " +
                                    method.canonical() +
                                    " samples none: its scores are the same every time; leave --stability out");
}

}  // namespace assay::attribute
