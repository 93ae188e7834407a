// The decoder-only transformer of which every text family here is a case: a residual stream that starts as the
// embedding of the tokens (and of their places), blocks of attention and MLP that read it through a norm and add to it,
// a final norm and a head. A family's file says which case it is and what its weights are called; the forward pass with
// all its sites stands here once. Exact up to rounding; linear layers cost two operations a weight and token.
//
//   sequential  r += A(N1 r), r += M(N2 r)        parallel  r += A(N1 r) + M(N2 r)
//
// Inputs of single heads (hook_attn_in, hook_q_input, ..) are copies of the residual stream before the norm, one a head
// [B,T,H,D], as in TransformerLens: they are made only where a tap asks for them. So is every key and value of a head
// that shares them with others, so that a tap always sees H heads.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "assay/nn/architecture.h"

namespace assay::nn {

enum class NormKind { RootMeanSquare, LayerNorm };
enum class Activation { GatedSilu, Gelu, GeluTanh, Relu };

/// How the weights of queries, keys and values lie.
enum class QkvForm {
  Apart,    ///< three matrices; keys and values may have fewer heads
  Stacked,  ///< one of 3·H·K rows in the order (q|k|v, head, K)
  ByHead,   ///< one of 3·H·K rows in the order (head, q|k|v, K)
};

/// What a family calls its weights, ".weight" and ".bias" left out; nullptr where it has none.
struct DecoderNames {
  const char* prefix;  ///< of all but the head; checkpoints of the bare model leave it out
  const char* embedding;
  const char* positions;
  const char* block;  ///< before the names of a block, with {} for its number
  const char *norm1, *qkv, *q, *k, *v, *o;
  const char *norm2, *gate, *up, *down;
  const char* final_norm;
  const char* head;
};

struct DecoderSpec {
  std::string family;
  nlohmann::json config;
  const DecoderNames* names = nullptr;
  Facts facts;

  NormKind norm = NormKind::RootMeanSquare;
  double epsilon = 1e-5;
  Activation activation = Activation::GatedSilu;
  bool is_parallel = false;

  QkvForm qkv = QkvForm::Apart;
  bool is_transposed = false;  ///< weights of layers lie as [I,O] (GPT-2's Conv1D)
  bool qkv_bias = false, output_bias = false, mlp_bias = false;

  bool has_learned_positions = false;  ///< [context, D]: a longer text is refused
  at::Tensor rotary_frequencies;       ///< float64 [R/2]: the first R numbers of a head are turned; undefined: none
  std::vector<double> score_scales;    ///< by block; empty: 1/sqrt(K)
  std::vector<int64_t> windows;        ///< by block: keys that a query sees, itself included; 0 or empty: all

  double deviation = 0.02;  ///< of fresh weights
};

std::shared_ptr<const Architecture> make_decoder(DecoderSpec spec);

}  // namespace assay::nn
