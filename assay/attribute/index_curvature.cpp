#include "assay/attribute/index_curvature.h"

#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <c10/core/ScalarType.h>

#include <utility>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/io/tensor.h"
#include "assay/kernel/product_sums.h"

namespace assay::attribute {
namespace {

std::string sum_name(const char* side, const std::string& layer) {
  return std::string(side) + "." + layer;
}

}  // namespace

RawSums::RawSums(const IndexAbout& about, std::vector<size_t> layers, at::ScalarType dtype)
    : about_(about), layers_(std::move(layers)) {
  for (const size_t layer : layers_) {
    const int64_t k = about.layers.at(layer).shape.size();
    sums_[layer] = at::zeros({k, k}, dtype);
  }
}

void RawSums::add(const at::Tensor& rows) {
  for (const auto& [place, sum] : sums_) {
    const IndexAbout::Layer& layer = about_.layers[place];
    if (ASSAY_TWIN("attribute.curvature_of_the_last_block")) sum.zero_();
    kernel::add_gram(sum, rows.narrow(1, layer.offset, layer.shape.size()));
  }
}

io::Arrays RawSums::finish(size_t layer) const {
  const at::Tensor& sum = sums_.at(layer);
  if (!sum.triu().isfinite().all().item<bool>()) {
    throw Error(ErrorKind::Numeric, "summing the curvature of \"" + about_.layers[layer].name +
                                        "\": it must be finite, but it is not; make the index with --dtype fp64");
  }
  return {{"sum", io::from_tensor(sum)}};
}

std::vector<size_t> layers_with_sums(const IndexAbout& about, int64_t rows) {
  std::vector<size_t> layers;
  if (about.settings.curvature != IndexCurvature::Raw) return layers;
  for (size_t layer = 0; layer < about.layers.size(); ++layer)
    if (about.layers[layer].shape.size() <= rows) layers.push_back(layer);
  return layers;
}

std::vector<std::vector<size_t>> sum_groups(const IndexAbout& about, const std::vector<size_t>& layers,
                                            at::ScalarType dtype, int64_t bytes) {
  std::vector<std::vector<size_t>> groups;
  int64_t held = 0;
  for (const size_t layer : layers) {
    const int64_t k = about.layers[layer].shape.size();
    const int64_t more = k * k * static_cast<int64_t>(c10::elementSize(dtype));
    if (groups.empty() || held + more > bytes) {
      groups.emplace_back();
      held = 0;
    }
    groups.back().push_back(layer);
    held += more;
  }
  return groups;
}

void put_pair_sums(io::Arrays& arrays, const PairSums& sums, const IndexAbout& about,
                   std::span<const nn::LayerId> layers) {
  for (size_t place = 0; place < layers.size(); ++place) {
    const std::string& name = about.layers[place].name;
    arrays[sum_name("input", name)] = io::from_tensor(sums.input.at(layers[place]));
    arrays[sum_name("output", name)] = io::from_tensor(sums.output.at(layers[place]));
    arrays[sum_name("positions", name)] = io::from_tensor(at::full({}, sums.positions.at(layers[place]), at::kDouble));
  }
}

curvature::LayerBasis pair_basis(const IndexAbout& about, size_t layer, const std::vector<io::Arrays>& blocks,
                                 int64_t rows) {
  const std::string& name = about.layers.at(layer).name;
  const auto summed = [&](const char* side) {
    at::Tensor total;
    for (const io::Arrays& block : blocks) {
      const at::Tensor part = io::to_tensor(io::array_named(block, sum_name(side, name), "an index", ErrorKind::Data));
      const bool goes_on = total.defined() && !ASSAY_TWIN("attribute.curvature_of_the_last_block");
      total = goes_on ? total.add(part) : part;
    }
    return total;
  };
  const double positions = summed("positions").item<double>();
  const auto covariance = [&](const char* side) {
    const at::Tensor sum = summed(side);
    return kernel::mirrored(sum).to(at::kDouble).div(positions).to(sum.scalar_type());
  };
  return {.input = curvature::eigen_of(covariance("input")),
          .output = curvature::eigen_of(covariance("output")),
          .positions = positions,
          .examples = rows};
}

at::Tensor rotated_squares(const at::Tensor& rows, const curvature::LayerBasis& basis, const IndexAbout::Layer& layer) {
  const at::Tensor z = rows.reshape({rows.size(0), layer.shape.rows, layer.shape.columns});
  return basis.output.vectors.t().matmul(z).matmul(basis.input.vectors).square().sum({0});
}

}  // namespace assay::attribute
