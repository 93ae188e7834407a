#include <array>
#include <string_view>

#include "assay/attribute/methods.h"
#include "assay/core/error.h"

namespace assay::attribute {
namespace {

struct MethodEntry {
  std::string_view name;
  std::unique_ptr<Scorer> (*make)(const FactoryCall&, const Inputs&, Progress&);
};

constexpr std::array<MethodEntry, 10> kMethods{{{"ekfac", make_influence},
                                                {"kfac", make_influence},
                                                {"diagonal", make_influence},
                                                {"relatif", make_relatif},
                                                {"identity", make_identity},
                                                {"cosine", make_cosine},
                                                {"logra", make_logra},
                                                {"representation", make_representation},
                                                {"bm25", make_bm25},
                                                {"random", make_random}}};

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

}  // namespace assay::attribute
