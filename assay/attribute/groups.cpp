#include "assay/attribute/groups.h"

#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <map>

#include "assay/core/error.h"

namespace assay::attribute {
namespace {

at::Tensor summed_columns(const at::Tensor& values, const at::Tensor& group_of, int64_t groups) {
  if (!values.defined()) return {};
  auto shape = values.sizes().vec();
  shape.back() = groups;
  return at::zeros(shape, values.options()).index_add_(-1, group_of, values);
}

}  // namespace

std::vector<int64_t> Groups::sizes() const {
  std::vector<int64_t> sizes(names.size(), 0);
  for (const int64_t group : group_of) ++sizes[static_cast<size_t>(group)];
  return sizes;
}

Groups group_by_name(std::span<const std::string> names) {
  Groups groups;
  std::map<std::string, int64_t> places;
  for (const std::string& name : names) {
    const auto [place, is_new] = places.try_emplace(name, std::ssize(groups.names));
    if (is_new) groups.names.push_back(name);
    groups.group_of.push_back(place->second);
  }
  return groups;
}

Scores summed_over_queries(const Scores& scores) {
  const auto sum = [](const at::Tensor& values, int64_t dimension) {
    return values.defined() ? values.sum({dimension}, /*keepdim=*/true) : at::Tensor();
  };
  return {sum(scores.total, 0), sum(scores.per_token, 0), sum(scores.per_layer, 1), scores.self_influence};
}

Scores summed_over_documents(const Scores& scores, std::span<const int64_t> group_of, int64_t groups) {
  ASSAY_ASSERT(static_cast<int64_t>(group_of.size()) == scores.total.size(1));
  const at::Tensor places = at::tensor(at::IntArrayRef(group_of.data(), group_of.size()), at::kLong);
  return {.total = summed_columns(scores.total, places, groups),
          .per_layer = summed_columns(scores.per_layer, places, groups)};
}

}  // namespace assay::attribute
