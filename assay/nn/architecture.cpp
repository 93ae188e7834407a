#include "assay/nn/architecture.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "assay/core/error.h"
#include "assay/core/near_match.h"
#include "assay/kernel/products.h"

namespace assay::nn {
namespace {

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts;
  size_t begin = 0;
  while (begin <= text.size()) {
    const size_t end = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

}  // namespace

bool matches_pattern(std::string_view name, std::string_view pattern) {
  size_t n = 0, p = 0, star = std::string_view::npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p, ++n;
    } else if (star != std::string_view::npos) {  // let the last star take one more character
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

at::Tensor Output::logits() const {
  return head.defined() ? kernel::linear(hidden, head, /*bias=*/{}) : hidden;
}

int64_t Architecture::add_parameter(ParameterInfo info) {
  parameters_.push_back(std::move(info));
  return static_cast<int64_t>(parameters_.size()) - 1;
}

LayerId Architecture::add_layer(Layer layer) {
  layers_.push_back(std::move(layer));
  return static_cast<LayerId>(layers_.size()) - 1;
}

SiteId Architecture::add_site(std::string name, std::string module) {
  sites_.push_back(std::move(name));
  modules_.push_back(std::move(module));
  return static_cast<SiteId>(sites_.size()) - 1;
}

std::vector<LayerId> Architecture::match_layers(const std::string& pattern) const {
  std::set<LayerId> chosen;
  for (const std::string& part : split_at_commas(pattern)) {
    bool found = false;
    for (size_t i = 0; i < layers_.size(); ++i) {
      const Layer& layer = layers_[i];
      if (!matches_pattern(layer.name, part)) continue;
      if (!layer.excluded.empty()) {
        if (layer.name == part) {
          throw Error(
              ErrorKind::Usage,
              fmt::format("choosing layers: \"{}\" cannot be tracked because {}; leave it out", part, layer.excluded));
        }
        continue;
      }
      chosen.insert(static_cast<LayerId>(i));
      found = true;
    }
    if (!found) {
      std::vector<std::string> names;
      for (const Layer& layer : layers_) names.push_back(layer.name);
      throw Error(ErrorKind::Usage, fmt::format("choosing layers: pattern \"{}\" must match one of the {} layers of "
                                                "this {} model, and matches none{}; list "
                                                "them with: assay inspect MODEL --layers",
                                                part, layers_.size(), family(), closest_clause(part, names)));
    }
  }
  return {chosen.begin(), chosen.end()};
}

std::vector<std::string> Architecture::uncovered_parameters(std::span<const LayerId> layers) const {
  std::set<int64_t> covered;
  for (LayerId id : layers) {
    const Layer& layer = layers_.at(static_cast<size_t>(id));
    covered.insert(layer.weight);
    if (layer.bias >= 0) covered.insert(layer.bias);
  }
  std::vector<std::string> names;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (!covered.contains(static_cast<int64_t>(i))) names.push_back(parameters_[i].name);
  }
  return names;
}

}  // namespace assay::nn
