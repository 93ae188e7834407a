#include "assay/curvature/fit.h"

#include <c10/core/ScalarType.h>

#include "assay/core/hash.h"
#include "assay/core/philox.h"
#include "assay/curvature/fit_passes.h"

namespace assay::curvature {
namespace {

constexpr uint64_t kLayoutVersion = 2;  // a change of what blocks hold or how they are computed raises it

}  // namespace

uint64_t covariance_seed(uint64_t seed) {
  return random_bits(seed, stream_of("curvature.covariance labels"), 0);
}
uint64_t moment_seed(uint64_t seed) {
  return random_bits(seed, stream_of("curvature.moment labels"), 0);
}

std::string fit_key(const FitRequest& request, const std::string& model_hash) {
  Hasher hasher;
  hasher.add("curvature").add(kLayoutVersion).add(model_hash).add(request.dataset.content_hash());
  for (const nn::LayerId layer : request.layers) hasher.add(layer_at(request.model.architecture(), layer).name);
  hasher.add(to_string(request.labels)).add(request.labels == Labels::Sampled ? request.seed : uint64_t{0});
  hasher.add(c10::toString(request.model.dtype()));
  return hasher.digest128();
}

}  // namespace assay::curvature
