#include "assay/attribute/methods_options.h"

#include <string>
#include <vector>

#include "assay/core/error.h"

namespace assay::attribute {
namespace {

// Defaults and their sources: docs/ekfac.md.
FactoryArgument damping() {
  return {.name = "damping",
          .type = ArgumentType::Number,
          .default_value = "0.1",
          .doc = "added to the eigenvalues, as a share of their mean in each layer",
          .minimum = 0,
          .maximum = 1e12};  // beyond it a score of float32 could underflow to nothing
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

/// What a method looks at.
enum class Reads { TextsOrStates, Gradients, Curvature, Index };

struct Method {
  FactorySpec spec;
  Reads reads;
};

const std::vector<Method>& methods() {
  static const std::vector<Method> all{
      {{"ekfac", "influence with eigenvalue-corrected Kronecker curvature", {damping(), labels(), rank()}},
       Reads::Curvature},
      {{"kfac", "influence with Kronecker curvature", {damping(), labels(), rank()}}, Reads::Curvature},
      {{"diagonal", "influence with a diagonal curvature", {damping(), labels(), rank()}}, Reads::Curvature},
      {{"identity", "dot product of gradients", {}}, Reads::Gradients},
      {{"cosine", "cosine of gradients", {}}, Reads::Gradients},
      {{"relatif", "EK-FAC influence divided by the document's own reach (l-RelatIF)", {damping(), labels(), rank()}},
       Reads::Curvature},
      {{"logra",
        "influence within the projection of a gradient index (--store)",
        {{.name = "mode",
          .type = ArgumentType::Choice,
          .default_value = "dot",
          .doc = "of logra: the influence, less half the document's own, or over the root of its own (l-RelatIF)",
          .choices = {"dot", "l2", "relatif"}},
         damping()}},
       Reads::Index},
      {{"representation", "cosine of the last hidden states, averaged over tokens", {}}, Reads::TextsOrStates},
      {{"bm25",
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
       Reads::TextsOrStates},
      {{"random",
        "random numbers, the floor",
        {{.name = "seed", .type = ArgumentType::Integer, .default_value = "0", .doc = "of the numbers", .minimum = 0}}},
       Reads::TextsOrStates},
  };
  return all;
}

Reads what_it_reads(const FactoryCall& method) {
  for (const Method& each : methods()) {
    if (each.spec.name == method.name()) return each.reads;
  }
  return Reads::TextsOrStates;
}

std::vector<FactorySpec> make_table() {
  std::vector<FactorySpec> table;
  for (const Method& method : methods()) table.push_back(method.spec);
  return table;
}

}  // namespace

std::span<const FactorySpec> method_table() {
  static const std::vector<FactorySpec> table = make_table();
  return table;
}

bool uses_gradients(const FactoryCall& method) {
  return what_it_reads(method) != Reads::TextsOrStates;
}

bool fits_curvature(const FactoryCall& method) {
  return what_it_reads(method) == Reads::Curvature;
}

bool predicts_changes(const FactoryCall& method) {
  return fits_curvature(method) && method.name() != "relatif";
}

bool reads_index(const FactoryCall& method) {
  return what_it_reads(method) == Reads::Index;
}

void refuse_parts(std::string_view method) {
  throw Error(ErrorKind::Usage,
              "scoring with " + std::string(method) +
                  ": --per-token, --per-layer and --self need a method that differentiates the model, but "
                  "this one does not; leave them out or choose ekfac");
}

void refuse_parts_of_l2() {
  throw Error(
      ErrorKind::Usage,
      "scoring with logra(mode=l2): a distance between whole gradients has no parts by token, layer or group of "
      "layers, but such are asked for; leave out --per-token, --per-layer and --layer-groups, or use mode=dot");
}

void require_sampled_labels(const FactoryCall& method) {
  if (fits_curvature(method) && method.is_word("labels", "sampled")) return;
  throw Error(ErrorKind::Usage, "comparing two draws of labels: --stability needs a method that samples labels, but " +
                                    method.canonical() +
                                    " samples none: its scores are the same every time; leave --stability out");
}

}  // namespace assay::attribute
