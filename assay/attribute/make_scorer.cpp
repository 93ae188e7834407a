#include <array>
#include <string_view>

#include "assay/attribute/methods.h"
#include "assay/core/error.h"

namespace assay::attribute {
namespace {

enum class Needs { TextsOrStates, Gradients, Curvature };

struct MethodEntry {
  std::string_view name;
  std::unique_ptr<Scorer> (*make)(const FactoryCall&, const Inputs&, Progress&);
  Needs needs;
};

constexpr std::array<MethodEntry, 9> kMethods{{{"ekfac", make_influence, Needs::Curvature},
                                               {"kfac", make_influence, Needs::Curvature},
                                               {"diagonal", make_influence, Needs::Curvature},
                                               {"relatif", make_relatif, Needs::Curvature},
                                               {"identity", make_identity, Needs::Gradients},
                                               {"cosine", make_cosine, Needs::Gradients},
                                               {"representation", make_representation, Needs::TextsOrStates},
                                               {"bm25", make_bm25, Needs::TextsOrStates},
                                               {"random", make_random, Needs::TextsOrStates}}};

const MethodEntry& entry_of(const FactoryCall& method) {
  for (const MethodEntry& entry : kMethods) {
    if (entry.name == method.name()) return entry;
  }
  throw Error(ErrorKind::Internal,
              "making the method \"" + method.name() +
                  "\": methods_options.cpp and make_scorer.cpp must list the same methods, but it has no "
                  "maker; please report this as a bug");
}

}  // namespace

std::unique_ptr<Scorer> make_scorer(const FactoryCall& method, const Inputs& inputs, Progress& progress) {
  return entry_of(method).make(method, inputs, progress);
}

bool uses_gradients(const FactoryCall& method) {
  return entry_of(method).needs != Needs::TextsOrStates;
}

bool fits_curvature(const FactoryCall& method) {
  return entry_of(method).needs == Needs::Curvature;
}

void refuse_parts(const Parts& parts, std::string_view method) {
  if (!parts.per_token && !parts.per_layer && !parts.self_influence) return;
  throw Error(ErrorKind::Usage,
              "scoring with " + std::string(method) +
                  ": --per-token, --per-layer and --self need a method that differentiates the model, but "
                  "this one does not; leave them out or choose ekfac");
}

}  // namespace assay::attribute
