// Random scores, the floor that every method must leave: standard normal, keyed by (seed, document, query), so that
// they survive reordering and leaving documents out.
#include <ATen/ops/empty.h>

#include "assay/attribute/methods.h"
#include "assay/core/error.h"
#include "assay/core/hash.h"
#include "assay/core/philox.h"

namespace assay::attribute {
namespace {

class RandomScorer final : public Scorer {
 public:
  RandomScorer(const Inputs& inputs, uint64_t seed) : inputs_(inputs), seed_(seed) {}

  Meaning meaning() const override {
    return {.title = "Random numbers", .unit = "standard deviations", .is_signed = false};
  }

  Scores score(const Documents& documents, const Parts& parts, curvature::Workspace&, Progress&) const override {
    if (parts.any()) refuse_parts("random");
    const auto& queries = inputs_.queries.dataset.examples;
    const auto& examples = documents.dataset.examples;
    at::Tensor total = at::empty({static_cast<int64_t>(queries.size()), documents.dataset.size()}, at::kFloat);
    float* out = total.data_ptr<float>();
    for (const data::Example& query : queries) {
      for (const data::Example& document : examples) {
        *out++ = static_cast<float>(random_normal(seed_ ^ stream_of("attribute.random"), query.id, document.id));
      }
    }
    return {.total = total};
  }

 private:
  Inputs inputs_;
  uint64_t seed_;
};

}  // namespace

std::unique_ptr<Scorer> make_random(const FactoryCall& call, const Inputs& inputs, Progress&) {
  return std::make_unique<RandomScorer>(inputs, static_cast<uint64_t>(call.integer("seed")));
}

}  // namespace assay::attribute
