// The decoder as its three sources share it: decoder.cpp lays out weights and sites, decoder_forward.cpp runs the
// blocks, decoder_attention.cpp is what happens between positions.
#pragma once

#include <string>
#include <vector>

#include "assay/kernel/attention.h"
#include "assay/kernel/rotary.h"
#include "assay/nn/decoder.h"
#include "assay/nn/pass.h"

namespace assay::nn {

class Decoder final : public Architecture {
 public:
  explicit Decoder(DecoderSpec spec);

  std::string family() const override { return spec_.family; }
  OutputKind output_kind() const override { return OutputKind::Categorical; }
  nlohmann::json config() const override { return spec_.config; }
  Facts facts() const override { return spec_.facts; }
  std::string optional_prefix() const override { return spec_.names->prefix; }
  Output forward(Pass& pass) const override;
  ResidualStream residual_stream() const override;

 private:
  struct Norm {
    int64_t weight, bias;  // bias -1: none
    SiteId scale, normalized;
  };
  struct Block {
    Norm norm1, norm2;
    LayerId qkv = -1, q = -1, k = -1, v = -1, o, gate = -1, up, down;
    SiteId resid_pre, attn_in, q_input, k_input, v_input, hook_q, hook_k, hook_v, rot_q, rot_k;
    SiteId scores, pattern, z, result, attn_out, resid_mid, mlp_in, mlp_pre, mlp_linear, mlp_post, mlp_out, resid_post;
  };
  struct Heads {
    at::Tensor q, k, v;  // [B,T,H,K]; k and v of H_kv heads unless a tap asks for all
  };
  struct HeadWeights {
    at::Tensor weight, bias;  // [H,K,D], [H,K] or undefined
  };
  // Where the tokens of a run stand.
  struct Places {
    kernel::RotaryTable rotary;
    at::Tensor positions;  // int64 [T], or [B,T] where rows are padded on the left
    at::Tensor first;      // int64 [B]: padding before it; undefined: none
  };
  enum class Part { Query, Key, Value };

  // decoder.cpp
  Norm add_norm(const std::string& weight, const std::string& name);
  LayerId add_matrix(const std::string& weight, const std::string& name, int64_t out, int64_t in,
                     const std::string& input, bool bias);
  Block add_block(int64_t index);

  // decoder_forward.cpp
  Places places_of(Pass& pass, int64_t positions) const;
  at::Tensor embed(Pass& pass, const Places& places) const;
  at::Tensor normalized(Pass& pass, const at::Tensor& x, const Norm& norm) const;
  at::Tensor normalize(Pass& pass, const at::Tensor& x, const Norm& norm) const;
  at::Tensor feed_forward(Pass& pass, const at::Tensor& x, const Block& block) const;

  // decoder_attention.cpp
  at::Tensor attend(Pass& pass, const at::Tensor& residual, const at::Tensor& x, int64_t index,
                    const Places& places) const;
  Heads project(Pass& pass, const at::Tensor& residual, const at::Tensor& x, const Block& block) const;
  Heads project_together(Pass& pass, const at::Tensor& x, const Block& block) const;
  at::Tensor project_by_head(Pass& pass, const at::Tensor& inputs, const Block& block, Part part) const;
  HeadWeights head_weights(Pass& pass, const Block& block, Part part) const;
  at::Tensor mix(Pass& pass, const Block& block, const Heads& heads, const kernel::AttentionRule& rule) const;

  DecoderSpec spec_;
  int64_t embedding_, positions_ = -1, head_;  // head_ == embedding_ when tied
  Norm final_norm_;
  SiteId embed_, pos_embed_ = -1, logits_;
  std::vector<Block> blocks_;
};

}  // namespace assay::nn
