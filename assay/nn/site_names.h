// What the names of sites mean: the shape of what stands there, and what other tools call it.
#pragma once

#include <string>

#include "assay/nn/architecture.h"

namespace assay::nn {

struct SiteMeaning {
  std::string shape;  ///< letters of the house: B batch, T positions, D width, H heads, K head width, V vocabulary
  // Where other tools have the same value, by their names; empty where they do not have it. Sites are named as in
  // TransformerLens before its version 3.
  std::string pyvene;   ///< the component: "block_input"
  std::string bridge;   ///< TransformerLens 3, place of a module: "blocks.3.attn.q.hook_out"
  std::string nnsight;  ///< place of Hugging Face's module: "transformer.h.3.attn.c_proj.input"
};

/// All empty for sites of other kinds of network than transformers.
SiteMeaning meaning_of_site(const Architecture& architecture, SiteId site);

}  // namespace assay::nn
