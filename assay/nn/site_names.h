// What the names of sites mean: the shape of what stands there, and what other tools call it.
#pragma once

#include <string>
#include <string_view>

namespace assay::nn {

struct SiteMeaning {
  std::string shape;   ///< letters of the house: B batch, T positions, D width, H heads, K head width, V vocabulary
  std::string pyvene;  ///< the component of pyvene that is the same value; empty where it has none
};

/// Of a site under its TransformerLens name; both empty for names of other kinds of network.
SiteMeaning meaning_of_site(std::string_view site);

}  // namespace assay::nn
