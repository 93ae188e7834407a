#include "assay/nn/site_names.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace assay::nn {
namespace {

struct KnownSite {
  std::string_view ending;
  const char* shape;
  const char* pyvene;
  const char* bridge;  // instead of the ending
};

constexpr std::array kKnownSites{KnownSite{"hook_embed", "B,T,D", "", "embed.hook_out"},
                                 KnownSite{"hook_pos_embed", "B,T,D", "", "pos_embed.hook_out"},
                                 KnownSite{".hook_resid_pre", "B,T,D", "block_input", ".hook_in"},
                                 KnownSite{".hook_resid_mid", "B,T,D", "", ".ln2.hook_in"},
                                 KnownSite{".hook_resid_post", "B,T,D", "block_output", ".hook_out"},
                                 KnownSite{".hook_attn_in", "B,T,H,D", "", ""},
                                 KnownSite{".hook_q_input", "B,T,H,D", "", ""},
                                 KnownSite{".hook_k_input", "B,T,H,D", "", ""},
                                 KnownSite{".hook_v_input", "B,T,H,D", "", ""},
                                 KnownSite{".hook_scale", "B,T,1", "", ""},
                                 KnownSite{".ln1.hook_normalized", "B,T,D", "attention_input", ".ln1.hook_out"},
                                 KnownSite{".ln2.hook_normalized", "B,T,D", "mlp_input", ".ln2.hook_out"},
                                 KnownSite{".hook_normalized", "B,T,D", "", ".hook_out"},
                                 KnownSite{".attn.hook_q", "B,T,H,K", "head_query_output", ".attn.q.hook_out"},
                                 KnownSite{".attn.hook_k", "B,T,H,K", "head_key_output", ".attn.k.hook_out"},
                                 KnownSite{".attn.hook_v", "B,T,H,K", "head_value_output", ".attn.v.hook_out"},
                                 KnownSite{".attn.hook_rot_q", "B,T,H,K", "", ""},
                                 KnownSite{".attn.hook_rot_k", "B,T,H,K", "", ""},
                                 KnownSite{".attn.hook_attn_scores", "B,H,T,T", "", ""},
                                 KnownSite{".attn.hook_pattern", "B,H,T,T", "attention_weight", ""},
                                 KnownSite{".attn.hook_z", "B,T,H,K", "head_attention_value_output", ".attn.o.hook_in"},
                                 KnownSite{".attn.hook_result", "B,T,H,D", "", ""},
                                 KnownSite{".hook_attn_out", "B,T,D", "attention_output", ".attn.hook_out"},
                                 KnownSite{".hook_mlp_in", "B,T,D", "", ".ln2.hook_in"},
                                 KnownSite{".mlp.hook_pre", "B,T,mlp", "", ".mlp.in.hook_out"},
                                 KnownSite{".mlp.hook_pre_linear", "B,T,mlp", "", ".mlp.in.hook_out"},
                                 KnownSite{".mlp.hook_post", "B,T,mlp", "mlp_activation", ".mlp.out.hook_in"},
                                 KnownSite{".hook_mlp_out", "B,T,D", "mlp_output", ".mlp.hook_out"},
                                 KnownSite{"logits", "B,T,V", "", "unembed.hook_out"}};

}  // namespace

SiteMeaning meaning_of_site(const Architecture& architecture, SiteId id) {
  const std::vector<std::string>& sites = architecture.sites();
  const std::string& site = sites[static_cast<size_t>(id)];
  for (const KnownSite& known : kKnownSites) {
    if (!site.ends_with(known.ending)) continue;
    SiteMeaning meaning{known.shape, known.pyvene, "", architecture.modules()[static_cast<size_t>(id)]};
    const std::string before = site.substr(0, site.size() - known.ending.size());
    const bool is_gate =
        site.ends_with(".hook_pre") && std::find(sites.begin(), sites.end(), site + "_linear") != sites.end();
    if (is_gate)
      meaning.bridge = before + ".mlp.gate.hook_out";
    else if (*known.bridge)
      meaning.bridge = before + known.bridge;
    return meaning;
  }
  return {};
}

}  // namespace assay::nn
