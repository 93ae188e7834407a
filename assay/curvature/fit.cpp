#include "assay/curvature/fit.h"

#include <c10/core/ScalarType.h>

#include "assay/core/hash.h"
#include "assay/core/philox.h"
#include "assay/core/twin.h"
#include "assay/curvature/fit_passes.h"

namespace assay::curvature {
namespace {

constexpr uint64_t kLayoutVersion = 2;  // a change of what blocks hold or how they are computed raises it

uint64_t label_seed(uint64_t seed, const char* walk) {
  static uint64_t draws = 0;  // of the twin only: a generator with a state, which one fit leaves moved for the next
  if (ASSAY_TWIN("curvature.labels_of_a_running_generator")) seed += ++draws;
  if (ASSAY_TWIN("curvature.labels_without_the_seed")) seed = 0;
  return random_bits(seed, stream_of(walk), 0);
}

}  // namespace

uint64_t covariance_seed(uint64_t seed) {
  return label_seed(seed, "curvature.covariance labels");
}
uint64_t moment_seed(uint64_t seed) {
  return label_seed(seed, "curvature.moment labels");
}

std::string fit_key(const FitRequest& request, const std::string& model_hash) {
  Hasher hasher;
  hasher.add("curvature").add(kLayoutVersion).add(model_hash).add(request.dataset.content_hash());
  for (const nn::LayerId layer : request.layers) hasher.add(layer_at(request.model.architecture(), layer).name);
  hasher.add(to_string(request.labels)).add(request.labels == Labels::Sampled ? request.seed : uint64_t{0});
  hasher.add(c10::toString(request.model.matrix_dtype()));
  return hasher.digest128();
}

std::string partial_block(const std::string& part, const Batches& batches) {
  Hasher hasher;
  for (const auto& rows : batches) {
    hasher.add(static_cast<uint64_t>(rows.size()));
    for (const int64_t row : rows) hasher.add(static_cast<uint64_t>(row));
  }
  const bool is_any = ASSAY_TWIN("curvature.sums_of_other_batches");
  return "partial." + part + "." + (is_any ? std::string("any") : hasher.digest128().substr(0, 8));
}

}  // namespace assay::curvature
