#include "assay/nn/decoder.h"

#include <fmt/format.h>

#include "assay/core/error.h"
#include "assay/nn/decoder_body.h"

namespace assay::nn {

Decoder::Decoder(DecoderSpec spec) : spec_(std::move(spec)) {
  const DecoderNames& names = *spec_.names;
  const Facts& facts = spec_.facts;
  const std::string prefix = names.prefix;
  ASSAY_ASSERT(spec_.qkv == QkvForm::Apart || facts.key_value_heads == facts.heads);
  ASSAY_ASSERT(spec_.has_learned_positions == (names.positions != nullptr));
  embedding_ = add_parameter(
      {prefix + names.embedding + ".weight", {facts.vocabulary, facts.width}, Initial::Normal, spec_.deviation});
  embed_ = add_site("hook_embed", prefix + names.embedding + ".output");
  if (spec_.has_learned_positions) {
    positions_ = add_parameter(
        {prefix + names.positions + ".weight", {facts.context, facts.width}, Initial::Normal, spec_.deviation});
    pos_embed_ = add_site("hook_pos_embed", prefix + names.positions + ".output");
  }
  for (int64_t l = 0; l < facts.blocks; ++l) blocks_.push_back(add_block(l));
  final_norm_ = add_norm(prefix + names.final_norm, "ln_final");
  logits_ = add_site("logits", std::string(names.head) + ".output");
  head_ = facts.head_is_tied ? embedding_
                             : add_parameter({std::string(names.head) + ".weight",
                                              {facts.vocabulary, facts.width},
                                              Initial::Normal,
                                              spec_.deviation});
  add_layer(
      {.name = "unembed",
       .weight = head_,
       .input = "ln_final.hook_normalized",
       .excluded = facts.head_is_tied
                       ? "its weight is also the embedding, so that it is no Kronecker product of one input and one "
                         "output"
                       : "an output head has as many outputs as the vocabulary, too many for a Kronecker factor"});
}

Decoder::Norm Decoder::add_norm(const std::string& weight, const std::string& name) {
  Norm norm{};
  norm.weight = add_parameter({weight + ".weight", {spec_.facts.width}, Initial::Ones});
  norm.bias =
      spec_.norm == NormKind::LayerNorm ? add_parameter({weight + ".bias", {spec_.facts.width}, Initial::Zeros}) : -1;
  norm.scale = add_site(name + ".hook_scale");
  norm.normalized = add_site(name + ".hook_normalized", weight + ".output");
  return norm;
}

LayerId Decoder::add_matrix(const std::string& weight, const std::string& name, int64_t out, int64_t in,
                            const std::string& input, bool bias) {
  Layer layer{.name = name, .is_transposed = spec_.is_transposed, .input = input};
  std::vector<int64_t> shape{out, in};
  if (spec_.is_transposed) shape = {in, out};
  layer.weight = add_parameter({weight + ".weight", std::move(shape), Initial::Normal, spec_.deviation});
  if (bias) layer.bias = add_parameter({weight + ".bias", {out}, Initial::Zeros});
  return add_layer(std::move(layer));
}

Decoder::Block Decoder::add_block(int64_t index) {
  const DecoderNames& names = *spec_.names;
  const Facts& facts = spec_.facts;
  const std::string weights = names.prefix + fmt::format(fmt::runtime(names.block), index);
  const std::string name = fmt::format("blocks.{}.", index);
  const int64_t queries = facts.heads * facts.head_width, keys = facts.key_value_heads * facts.head_width;
  const std::string module = weights.substr(0, weights.size() - 1);
  Block block{};

  block.resid_pre = add_site(name + "hook_resid_pre", module + ".input");
  block.attn_in = add_site(name + "hook_attn_in");
  block.q_input = add_site(name + "hook_q_input");
  block.k_input = add_site(name + "hook_k_input");
  block.v_input = add_site(name + "hook_v_input");
  block.norm1 = add_norm(weights + names.norm1, name + "ln1");
  const std::string attention_input = name + "ln1.hook_normalized";
  const auto attention = [&](const char* weight, const char* layer, int64_t out) {
    return add_matrix(weights + weight, name + "attn." + layer, out, facts.width, attention_input, spec_.qkv_bias);
  };
  if (spec_.qkv == QkvForm::Apart) {
    block.q = attention(names.q, "q", queries);
    block.k = attention(names.k, "k", keys);
    block.v = attention(names.v, "v", keys);
  } else {
    block.qkv = attention(names.qkv, "qkv", 3 * queries);
  }
  const auto output_of = [&](const char* weight) { return weight ? weights + weight + ".output" : std::string(); };
  block.hook_q = add_site(name + "attn.hook_q", output_of(names.q));
  block.hook_k = add_site(name + "attn.hook_k", output_of(names.k));
  block.hook_v = add_site(name + "attn.hook_v", output_of(names.v));
  if (spec_.rotary_frequencies.defined()) {
    block.rot_q = add_site(name + "attn.hook_rot_q");
    block.rot_k = add_site(name + "attn.hook_rot_k");
  }
  block.scores = add_site(name + "attn.hook_attn_scores");
  block.pattern = add_site(name + "attn.hook_pattern");
  block.z = add_site(name + "attn.hook_z", weights + names.o + ".input");
  block.o =
      add_matrix(weights + names.o, name + "attn.o", facts.width, queries, name + "attn.hook_z", spec_.output_bias);
  block.result = add_site(name + "attn.hook_result");
  block.attn_out = add_site(name + "hook_attn_out", output_of(names.o));
  const std::string before_mlp = weights + names.norm2 + ".input";
  if (!spec_.is_parallel) block.resid_mid = add_site(name + "hook_resid_mid", before_mlp);

  block.mlp_in = add_site(name + "hook_mlp_in", before_mlp);
  block.norm2 = add_norm(weights + names.norm2, name + "ln2");
  const std::string mlp_input = name + "ln2.hook_normalized";
  const auto mlp = [&](const char* weight, const char* layer, int64_t out, int64_t in, const std::string& input) {
    return add_matrix(weights + weight, name + "mlp." + layer, out, in, input, spec_.mlp_bias);
  };
  const bool is_gated = spec_.activation == Activation::GatedSilu;
  block.mlp_pre = add_site(name + "mlp.hook_pre", output_of(is_gated ? names.gate : names.up));
  if (is_gated) {
    block.gate = mlp(names.gate, "gate", facts.mlp_width, facts.width, mlp_input);
    block.mlp_linear = add_site(name + "mlp.hook_pre_linear", output_of(names.up));
  }
  block.up = mlp(names.up, "up", facts.mlp_width, facts.width, mlp_input);
  block.mlp_post = add_site(name + "mlp.hook_post", weights + names.down + ".input");
  block.down = mlp(names.down, "down", facts.width, facts.mlp_width, name + "mlp.hook_post");
  block.mlp_out = add_site(name + "hook_mlp_out", output_of(names.down));
  block.resid_post = add_site(name + "hook_resid_post", module + ".output");
  return block;
}

ResidualStream Decoder::residual_stream() const {
  ResidualStream stream;
  stream.embeddings.push_back(embedding_);
  if (positions_ >= 0) stream.embeddings.push_back(positions_);
  const auto add = [&](const Norm& norm) {
    stream.norms.push_back({sites()[static_cast<size_t>(norm.normalized)], norm.weight, norm.bias});
  };
  for (const Block& block : blocks_) {
    stream.writers.insert(stream.writers.end(), {block.o, block.down});
    add(block.norm1);
    add(block.norm2);
  }
  add(final_norm_);
  return stream;
}

std::shared_ptr<const Architecture> make_decoder(DecoderSpec spec) {
  return std::make_shared<Decoder>(std::move(spec));
}

}  // namespace assay::nn
