#include <ATen/ops/arange.h>
#include <ATen/ops/relu.h>
#include <fmt/format.h>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/kernel/gated_activation.h"
#include "assay/kernel/gelu.h"
#include "assay/kernel/layer_norm.h"
#include "assay/kernel/norm.h"
#include "assay/nn/decoder_body.h"

namespace assay::nn {
namespace {

at::Tensor activated(const at::Tensor& x, Activation activation) {
  if (ASSAY_TWIN("nn.gelu_forms_swapped") && activation != Activation::Relu)
    return activation == Activation::Gelu ? kernel::gelu_tanh(x) : kernel::gelu(x);
  switch (activation) {
    case Activation::GatedSilu: break;  // takes two inputs: kernel::gated_silu
    case Activation::Gelu: return kernel::gelu(x);
    case Activation::GeluTanh: return kernel::gelu_tanh(x);
    case Activation::Relu: return at::relu(x);
  }
  ASSAY_ASSERT(false);
}

}  // namespace

Decoder::Places Decoder::places_of(Pass& pass, int64_t positions) const {
  KeyValueCache* cache = pass.options().cache;
  const int64_t start = cache ? cache->length : 0;
  Places places;
  places.first = pass.batch().first;
  if (cache) {
    if (start == 0) cache->first = places.first;
    places.first = cache->first;
  }
  if (ASSAY_TWIN("nn.left_padding_ignored")) places.first.reset();
  places.positions = at::arange(start, start + positions, at::kLong);
  if (places.first.defined())
    places.positions = places.positions.unsqueeze(0).sub(places.first.unsqueeze(1)).clamp_min(0);
  const int64_t reached = start + positions - (places.first.defined() ? places.first.min().item<int64_t>() : 0);
  if (spec_.has_learned_positions && reached > spec_.facts.context) {
    throw Error(ErrorKind::Usage,
                fmt::format("running the model: a text may have at most {} tokens, the positions that this {} model "
                            "has learned, and one has {}; cut it or split it",
                            spec_.facts.context, spec_.family, reached));
  }
  if (spec_.rotary_frequencies.defined())
    places.rotary = kernel::rotary_table(places.positions, spec_.rotary_frequencies, pass.dtype());
  return places;
}

at::Tensor Decoder::embed(Pass& pass, const Places& places) const {
  const data::Batch& batch = pass.batch();
  const at::Tensor tokens = pass.site(embed_, pass.rows(embedding_, batch.tokens));
  if (!spec_.has_learned_positions) return tokens;
  at::Tensor positions = pass.rows(positions_, places.positions);
  if (pass.is_tapped(pos_embed_)) positions = positions.expand_as(tokens);
  return tokens.add(pass.site(pos_embed_, positions));
}

at::Tensor Decoder::normalized(Pass& pass, const at::Tensor& x, const Norm& norm) const {
  const at::Tensor& weight = pass.parameter(norm.weight);
  if (norm.bias < 0) return kernel::rms_norm(x, weight, spec_.epsilon);
  return kernel::layer_norm(x, weight, pass.parameter(norm.bias), spec_.epsilon);
}

at::Tensor Decoder::normalize(Pass& pass, const at::Tensor& x, const Norm& norm) const {
  if (!pass.is_tapped(norm.scale)) return pass.site(norm.normalized, normalized(pass, x, norm));
  const at::Tensor centred = norm.bias < 0 ? x : x.sub(x.mean(/*dim=*/{-1}, /*keepdim=*/true));
  const at::Tensor scale = pass.site(norm.scale, kernel::rms_scale(centred, spec_.epsilon));
  const at::Tensor result = centred.div(scale).mul(pass.parameter(norm.weight));
  return pass.site(norm.normalized, norm.bias < 0 ? result : result.add(pass.parameter(norm.bias)));
}

at::Tensor Decoder::feed_forward(Pass& pass, const at::Tensor& x, const Block& block) const {
  const bool is_gated = spec_.activation == Activation::GatedSilu;
  const at::Tensor before = pass.site(block.mlp_pre, pass.linear(is_gated ? block.gate : block.up, x));
  if (!is_gated) return pass.linear(block.down, pass.site(block.mlp_post, activated(before, spec_.activation)));
  const at::Tensor linear = pass.site(block.mlp_linear, pass.linear(block.up, x));
  return pass.linear(block.down, pass.site(block.mlp_post, kernel::gated_silu(before, linear)));
}

Output Decoder::forward(Pass& pass) const {
  const RunOptions& options = pass.options();
  KeyValueCache* cache = options.cache;
  if (cache && cache->keys.empty()) {
    cache->keys.resize(blocks_.size());
    cache->values.resize(blocks_.size());
  }
  const bool from_start = options.first_block == 0;
  ASSAY_ASSERT(from_start || (options.state.defined() && !cache && options.first_block <= spec_.facts.blocks));
  const int64_t positions = from_start ? pass.batch().tokens.size(1) : options.state.size(1);
  const Places places = places_of(pass, positions);
  at::Tensor x = from_start ? embed(pass, places) : options.state;
  for (int64_t l = options.first_block; l < spec_.facts.blocks; ++l) {
    const Block& block = blocks_[static_cast<size_t>(l)];
    x = pass.site(block.resid_pre, x);
    const at::Tensor attention_input = normalize(pass, x, block.norm1);
    const at::Tensor middle = x.add(pass.site(block.attn_out, attend(pass, x, attention_input, l, places)));
    at::Tensor stream = spec_.is_parallel ? x : pass.site(block.resid_mid, middle);
    if (ASSAY_TWIN("nn.parallel_block_in_sequence")) stream = middle;
    const at::Tensor mlp_input = normalize(pass, pass.site(block.mlp_in, stream), block.norm2);
    const at::Tensor written = pass.site(block.mlp_out, feed_forward(pass, mlp_input, block));
    x = pass.site(block.resid_post, (spec_.is_parallel ? middle : stream).add(written));
  }
  if (cache) cache->length += positions;
  x = normalize(pass, x, final_norm_);
  const Output output{.kind = OutputKind::Categorical, .hidden = x, .head = pass.parameter(head_)};
  if (!pass.is_tapped(logits_)) return output;
  return {.kind = OutputKind::Categorical, .hidden = pass.site(logits_, output.logits()), .head = {}};
}

}  // namespace assay::nn
