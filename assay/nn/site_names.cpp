#include "assay/nn/site_names.h"

#include <array>

namespace assay::nn {
namespace {

struct KnownSite {
  std::string_view ending;
  const char* shape;
  const char* pyvene;
};

constexpr std::array kKnownSites{KnownSite{"hook_embed", "B,T,D", ""},
                                 KnownSite{"hook_pos_embed", "B,T,D", ""},
                                 KnownSite{".hook_resid_pre", "B,T,D", "block_input"},
                                 KnownSite{".hook_resid_mid", "B,T,D", ""},
                                 KnownSite{".hook_resid_post", "B,T,D", "block_output"},
                                 KnownSite{".hook_attn_in", "B,T,H,D", ""},
                                 KnownSite{".hook_q_input", "B,T,H,D", ""},
                                 KnownSite{".hook_k_input", "B,T,H,D", ""},
                                 KnownSite{".hook_v_input", "B,T,H,D", ""},
                                 KnownSite{".hook_scale", "B,T,1", ""},
                                 KnownSite{".ln1.hook_normalized", "B,T,D", "attention_input"},
                                 KnownSite{".ln2.hook_normalized", "B,T,D", "mlp_input"},
                                 KnownSite{".hook_normalized", "B,T,D", ""},
                                 KnownSite{".attn.hook_q", "B,T,H,K", "head_query_output"},
                                 KnownSite{".attn.hook_k", "B,T,H,K", "head_key_output"},
                                 KnownSite{".attn.hook_v", "B,T,H,K", "head_value_output"},
                                 KnownSite{".attn.hook_rot_q", "B,T,H,K", ""},
                                 KnownSite{".attn.hook_rot_k", "B,T,H,K", ""},
                                 KnownSite{".attn.hook_attn_scores", "B,H,T,T", ""},
                                 KnownSite{".attn.hook_pattern", "B,H,T,T", "attention_weight"},
                                 KnownSite{".attn.hook_z", "B,T,H,K", "head_attention_value_output"},
                                 KnownSite{".attn.hook_result", "B,T,H,D", ""},
                                 KnownSite{".hook_attn_out", "B,T,D", "attention_output"},
                                 KnownSite{".hook_mlp_in", "B,T,D", ""},
                                 KnownSite{".mlp.hook_pre", "B,T,mlp", ""},
                                 KnownSite{".mlp.hook_pre_linear", "B,T,mlp", ""},
                                 KnownSite{".mlp.hook_post", "B,T,mlp", "mlp_activation"},
                                 KnownSite{".hook_mlp_out", "B,T,D", "mlp_output"},
                                 KnownSite{"logits", "B,T,V", ""}};

}  // namespace

SiteMeaning meaning_of_site(std::string_view site) {
  for (const KnownSite& known : kKnownSites) {
    if (site.ends_with(known.ending)) return {known.shape, known.pyvene};
  }
  return {};
}

}  // namespace assay::nn
