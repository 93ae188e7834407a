#include "assay/nn/taps.h"

#include "assay/core/error.h"

namespace assay::nn {
namespace {

const at::Tensor& find(const std::map<std::string, at::Tensor>& recorded, const std::string& site, const char* what) {
  const auto entry = recorded.find(site);
  if (entry == recorded.end()) {
    throw Error(ErrorKind::Usage, std::string("reading a recording: the ") + what + " at site \"" + site +
                                      "\" was not recorded in this run; add it to the run's taps");
  }
  return entry->second;
}

}  // namespace

const at::Tensor& Recording::value(const std::string& site) const {
  return find(values, site, "value");
}
const at::Tensor& Recording::gradient(const std::string& site) const {
  return find(gradients, site, "gradient");
}

Taps& Taps::record(std::string site) {
  taps_.push_back({Tap::Kind::Record, std::move(site), {}, {}, {}});
  return *this;
}

Taps& Taps::record_gradient(std::string site) {
  taps_.push_back({Tap::Kind::RecordGradient, std::move(site), {}, {}, {}});
  return *this;
}

Taps& Taps::replace(std::string site, at::Tensor value, std::vector<int64_t> rows) {
  taps_.push_back({Tap::Kind::Replace, std::move(site), std::move(value), std::move(rows), {}});
  return *this;
}

Taps& Taps::add(std::string site, at::Tensor value, std::vector<int64_t> rows) {
  taps_.push_back({Tap::Kind::Add, std::move(site), std::move(value), std::move(rows), {}});
  return *this;
}

Taps& Taps::edit(std::string site, EditFunction function) {
  taps_.push_back({Tap::Kind::Edit, std::move(site), {}, {}, std::move(function)});
  return *this;
}

Taps& Taps::capture(std::vector<LayerId> layers, GradientSink sink) {
  captured_ = std::move(layers);
  sink_ = std::move(sink);
  return *this;
}

}  // namespace assay::nn
