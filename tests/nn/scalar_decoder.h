// Forward passes of the families in plain float64 loops over one text, written from the families' equations and reading
// weights by their names in a checkpoint. They share nothing with the product but the weights.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numbers>
#include <string>
#include <vector>

#include "assay/nn/model.h"

namespace assay::nn::scalar {

using Vector = std::vector<double>;
using Rows = std::vector<Vector>;  // [T] vectors

struct Matrix {
  Vector numbers;
  size_t rows, columns;
  double at(size_t r, size_t c) const { return numbers[r * columns + c]; }
  /// W x: weights that lie as [out,in].
  Vector operator*(const Vector& x) const {
    Vector y(rows, 0.0);
    for (size_t r = 0; r < rows; ++r) {
      for (size_t c = 0; c < columns; ++c) y[r] += at(r, c) * x[c];
    }
    return y;
  }
  /// x W: weights that lie as [in,out].
  Vector from_left(const Vector& x) const {
    Vector y(columns, 0.0);
    for (size_t r = 0; r < rows; ++r) {
      for (size_t c = 0; c < columns; ++c) y[c] += x[r] * at(r, c);
    }
    return y;
  }
  Vector row(size_t r) const {
    return {numbers.begin() + static_cast<std::ptrdiff_t>(r * columns),
            numbers.begin() + static_cast<std::ptrdiff_t>((r + 1) * columns)};
  }
};

inline Matrix matrix(const Model& model, const std::string& name) {
  for (size_t i = 0; i < model.parameters().size(); ++i) {
    if (model.parameters().name(i) != name) continue;
    const at::Tensor weight = model.parameters()[i].to(at::kDouble).contiguous();
    const double* data = weight.const_data_ptr<double>();
    const auto rows = static_cast<size_t>(weight.size(0));
    return {{data, data + weight.numel()}, rows, weight.dim() > 1 ? static_cast<size_t>(weight.size(1)) : 1};
  }
  ADD_FAILURE() << "no weight " << name;
  return {{}, 0, 0};
}

inline Vector plus(Vector x, const Vector& y) {
  for (size_t i = 0; i < x.size(); ++i) x[i] += y[i];
  return x;
}

inline Vector part(const Vector& x, size_t begin, size_t count) {
  return {x.begin() + static_cast<std::ptrdiff_t>(begin), x.begin() + static_cast<std::ptrdiff_t>(begin + count)};
}

inline Vector root_mean_square(const Vector& x, const Vector& weight, double epsilon) {
  double square = 0;
  for (double v : x) square += v * v;
  const double scale = std::sqrt(square / static_cast<double>(x.size()) + epsilon);
  Vector y(x.size());
  for (size_t i = 0; i < x.size(); ++i) y[i] = x[i] / scale * weight[i];
  return y;
}

inline Vector layer_norm(const Vector& x, const Vector& weight, const Vector& bias, double epsilon) {
  double mean = 0, variance = 0;
  for (double v : x) mean += v / static_cast<double>(x.size());
  for (double v : x) variance += (v - mean) * (v - mean) / static_cast<double>(x.size());
  Vector y(x.size());
  for (size_t i = 0; i < x.size(); ++i) y[i] = (x[i] - mean) / std::sqrt(variance + epsilon) * weight[i] + bias[i];
  return y;
}

inline double gelu_tanh(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}
inline double gelu_exact(double x) {
  return 0.5 * x * (1 + std::erf(x / std::numbers::sqrt2));
}
inline double silu(double x) {
  return x / (1 + std::exp(-x));
}

/// Turns the pairs (x_i, x_{i+n/2}) of the first n = 2·|frequencies| numbers.
inline void rotate(double* head, const Vector& frequencies, size_t position) {
  const size_t half = frequencies.size();
  for (size_t i = 0; i < half; ++i) {
    const double angle = static_cast<double>(position) * frequencies[i], x = head[i], y = head[i + half];
    head[i] = x * std::cos(angle) - y * std::sin(angle);
    head[i + half] = y * std::cos(angle) + x * std::sin(angle);
  }
}

inline Vector frequencies(size_t width, double base) {
  Vector found;
  for (size_t i = 0; i < width / 2; ++i)
    found.push_back(std::pow(base, -2.0 * static_cast<double>(i) / static_cast<double>(width)));
  return found;
}

struct AttentionSizes {
  size_t heads, groups, width;
  double scale;       // scores are q·k times this
  size_t window = 0;  // 0: all
};

/// Rows q [T][H·K], k and v [T][G·K] → z [T][H·K].
inline Rows attention(const Rows& q, const Rows& k, const Rows& v, const AttentionSizes& sizes) {
  Rows z;
  for (size_t t = 0; t < q.size(); ++t) {
    z.emplace_back(sizes.heads * sizes.width, 0.0);
    for (size_t h = 0; h < sizes.heads; ++h) {
      const size_t g = h * sizes.groups / sizes.heads;
      Vector weight(t + 1, 0.0);
      double sum = 0;
      for (size_t s = 0; s <= t; ++s) {
        if (sizes.window > 0 && t - s >= sizes.window) continue;
        double score = 0;
        for (size_t i = 0; i < sizes.width; ++i) score += q[t][h * sizes.width + i] * k[s][g * sizes.width + i];
        sum += weight[s] = std::exp(score * sizes.scale);
      }
      for (size_t s = 0; s <= t; ++s) {
        for (size_t i = 0; i < sizes.width; ++i)
          z[t][h * sizes.width + i] += weight[s] / sum * v[s][g * sizes.width + i];
      }
    }
  }
  return z;
}

inline size_t number(const nlohmann::json& config, const char* key) {
  return config.at(key).get<size_t>();
}

inline Rows llama(const Model& model, const std::vector<int32_t>& tokens) {
  const nlohmann::json config = model.architecture().config();
  const bool qwen = config.at("model_type") == "qwen2", biased = config.value("attention_bias", false);
  const size_t heads = number(config, "num_attention_heads"), groups = number(config, "num_key_value_heads");
  const size_t width = number(config, "hidden_size") / heads;
  const double epsilon = config.at("rms_norm_eps");
  Vector turns = frequencies(width, config.at("rope_theta"));
  if (config.contains("rope_scaling") && config["rope_scaling"]["rope_type"] == "llama3") {
    const auto& rope = config["rope_scaling"];
    const double factor = rope["factor"], low = rope["low_freq_factor"], high = rope["high_freq_factor"],
                 original = rope["original_max_position_embeddings"];
    for (double& turn : turns) {
      const double wavelength = 2 * std::numbers::pi / turn;
      if (wavelength > original / low) {
        turn /= factor;
      } else if (wavelength >= original / high) {
        const double share = (original / wavelength - low) / (high - low);
        turn = (1 - share) * turn / factor + share * turn;
      }
    }
  } else if (config.contains("rope_scaling") && config["rope_scaling"]["rope_type"] == "linear") {
    for (double& turn : turns) turn /= config["rope_scaling"]["factor"].get<double>();
  }
  const auto named = [&](const std::string& name) { return matrix(model, name); };
  const Matrix embedding = named("model.embed_tokens.weight");
  Rows x;
  for (int32_t token : tokens) x.push_back(embedding.row(static_cast<size_t>(token)));
  for (size_t l = 0; l < number(config, "num_hidden_layers"); ++l) {
    const std::string block = "model.layers." + std::to_string(l) + ".";
    const auto project = [&](const char* name, const Vector& input, bool bias) {
      const Vector y = named(block + name + ".weight") * input;
      return bias ? plus(y, named(block + name + ".bias").numbers) : y;
    };
    Rows q, k, v;
    for (size_t t = 0; t < x.size(); ++t) {
      const Vector n = root_mean_square(x[t], named(block + "input_layernorm.weight").numbers, epsilon);
      q.push_back(project("self_attn.q_proj", n, qwen || biased));
      k.push_back(project("self_attn.k_proj", n, qwen || biased));
      v.push_back(project("self_attn.v_proj", n, qwen || biased));
      for (size_t h = 0; h < heads; ++h) rotate(q[t].data() + h * width, turns, t);
      for (size_t g = 0; g < groups; ++g) rotate(k[t].data() + g * width, turns, t);
    }
    const size_t window = qwen && config.value("use_sliding_window", false) && l >= number(config, "max_window_layers")
                              ? number(config, "sliding_window")
                              : 0;
    const Rows z = attention(q, k, v, {heads, groups, width, 1 / std::sqrt(static_cast<double>(width)), window});
    for (size_t t = 0; t < x.size(); ++t) {
      x[t] = plus(x[t], project("self_attn.o_proj", z[t], biased));
      const Vector n = root_mean_square(x[t], named(block + "post_attention_layernorm.weight").numbers, epsilon);
      const Vector gate = named(block + "mlp.gate_proj.weight") * n;
      Vector middle = named(block + "mlp.up_proj.weight") * n;
      for (size_t i = 0; i < middle.size(); ++i) middle[i] *= silu(gate[i]);
      x[t] = plus(x[t], named(block + "mlp.down_proj.weight") * middle);
    }
  }
  const Matrix head = config.value("tie_word_embeddings", false) ? embedding : named("lm_head.weight");
  Rows logits;
  for (const Vector& row : x)
    logits.push_back(head * root_mean_square(row, named("model.norm.weight").numbers, epsilon));
  return logits;
}

inline Rows gpt2(const Model& model, const std::vector<int32_t>& tokens) {
  const nlohmann::json config = model.architecture().config();
  const size_t heads = number(config, "n_head"), size = number(config, "n_embd"), width = size / heads;
  const double epsilon = config.at("layer_norm_epsilon");
  const auto named = [&](const std::string& name) { return matrix(model, "transformer." + name); };
  const auto norm = [&](const std::string& name, const Vector& row) {
    return layer_norm(row, named(name + ".weight").numbers, named(name + ".bias").numbers, epsilon);
  };
  const auto conv = [&](const std::string& name, const Vector& row) {
    return plus(named(name + ".weight").from_left(row), named(name + ".bias").numbers);
  };
  const Matrix embedding = named("wte.weight"), places = named("wpe.weight");
  Rows x;
  for (size_t t = 0; t < tokens.size(); ++t)
    x.push_back(plus(embedding.row(static_cast<size_t>(tokens[t])), places.row(t)));
  for (size_t l = 0; l < number(config, "n_layer"); ++l) {
    const std::string block = "h." + std::to_string(l) + ".";
    Rows q, k, v;
    for (const Vector& row : x) {
      const Vector all = conv(block + "attn.c_attn", norm(block + "ln_1", row));
      q.push_back(part(all, 0, size)), k.push_back(part(all, size, size)), v.push_back(part(all, 2 * size, size));
    }
    double scale = 1 / std::sqrt(static_cast<double>(width));
    if (config.value("scale_attn_by_inverse_layer_idx", false)) scale /= static_cast<double>(l + 1);
    const Rows z = attention(q, k, v, {heads, heads, width, scale});
    for (size_t t = 0; t < x.size(); ++t) {
      x[t] = plus(x[t], conv(block + "attn.c_proj", z[t]));
      Vector middle = conv(block + "mlp.c_fc", norm(block + "ln_2", x[t]));
      for (double& number : middle) number = gelu_tanh(number);
      x[t] = plus(x[t], conv(block + "mlp.c_proj", middle));
    }
  }
  Rows logits;
  for (const Vector& row : x) logits.push_back(embedding * norm("ln_f", row));
  return logits;
}

inline Rows gpt_neo(const Model& model, const std::vector<int32_t>& tokens) {
  const nlohmann::json config = model.architecture().config();
  const size_t heads = number(config, "num_heads"), size = number(config, "hidden_size");
  const double epsilon = config.at("layer_norm_epsilon");
  const auto named = [&](const std::string& name) { return matrix(model, "transformer." + name); };
  const auto norm = [&](const std::string& name, const Vector& row) {
    return layer_norm(row, named(name + ".weight").numbers, named(name + ".bias").numbers, epsilon);
  };
  const auto biased = [&](const std::string& name, const Vector& row) {
    return plus(named(name + ".weight") * row, named(name + ".bias").numbers);
  };
  const Matrix embedding = named("wte.weight"), places = named("wpe.weight");
  Rows x;
  for (size_t t = 0; t < tokens.size(); ++t)
    x.push_back(plus(embedding.row(static_cast<size_t>(tokens[t])), places.row(t)));
  for (size_t l = 0; l < number(config, "num_layers"); ++l) {
    const std::string block = "h." + std::to_string(l) + ".", attend = block + "attn.attention.";
    Rows q, k, v;
    for (const Vector& row : x) {
      const Vector n = norm(block + "ln_1", row);
      q.push_back(named(attend + "q_proj.weight") * n);
      k.push_back(named(attend + "k_proj.weight") * n);
      v.push_back(named(attend + "v_proj.weight") * n);
    }
    const Rows z = attention(q, k, v, {heads, heads, size / heads, 1.0, l % 2 ? number(config, "window_size") : 0});
    for (size_t t = 0; t < x.size(); ++t) {
      x[t] = plus(x[t], biased(attend + "out_proj", z[t]));
      Vector middle = biased(block + "mlp.c_fc", norm(block + "ln_2", x[t]));
      for (double& number : middle) number = gelu_tanh(number);
      x[t] = plus(x[t], biased(block + "mlp.c_proj", middle));
    }
  }
  Rows logits;
  for (const Vector& row : x) logits.push_back(embedding * norm("ln_f", row));
  return logits;
}

inline Rows gpt_neox(const Model& model, const std::vector<int32_t>& tokens) {
  const nlohmann::json config = model.architecture().config();
  const size_t heads = number(config, "num_attention_heads"), size = number(config, "hidden_size");
  const size_t width = size / heads;
  const double epsilon = config.at("layer_norm_eps"), share = config.at("rotary_pct");
  const bool parallel = config.at("use_parallel_residual");
  const Vector turns =
      frequencies(static_cast<size_t>(static_cast<double>(width) * share), config.at("rotary_emb_base"));
  const auto named = [&](const std::string& name) { return matrix(model, "gpt_neox." + name); };
  const auto norm = [&](const std::string& name, const Vector& row) {
    return layer_norm(row, named(name + ".weight").numbers, named(name + ".bias").numbers, epsilon);
  };
  const auto biased = [&](const std::string& name, const Vector& row) {
    return plus(named(name + ".weight") * row, named(name + ".bias").numbers);
  };
  const Matrix embedding = named("embed_in.weight");
  Rows x;
  for (int32_t token : tokens) x.push_back(embedding.row(static_cast<size_t>(token)));
  for (size_t l = 0; l < number(config, "num_hidden_layers"); ++l) {
    const std::string block = "layers." + std::to_string(l) + ".";
    Rows q, k, v;
    for (size_t t = 0; t < x.size(); ++t) {
      const Vector all = biased(block + "attention.query_key_value", norm(block + "input_layernorm", x[t]));
      Vector rows[3];
      for (size_t h = 0; h < heads; ++h) {
        for (size_t i = 0; i < 3; ++i) {
          Vector head = part(all, (3 * h + i) * width, width);
          if (i < 2) rotate(head.data(), turns, t);
          rows[i].insert(rows[i].end(), head.begin(), head.end());
        }
      }
      q.push_back(rows[0]), k.push_back(rows[1]), v.push_back(rows[2]);
    }
    const Rows z = attention(q, k, v, {heads, heads, width, 1 / std::sqrt(static_cast<double>(width))});
    for (size_t t = 0; t < x.size(); ++t) {
      const Vector attended = biased(block + "attention.dense", z[t]), middle = plus(x[t], attended);
      Vector wide =
          biased(block + "mlp.dense_h_to_4h", norm(block + "post_attention_layernorm", parallel ? x[t] : middle));
      for (double& number : wide) number = gelu_exact(number);
      x[t] = plus(middle, biased(block + "mlp.dense_4h_to_h", wide));
    }
  }
  const Matrix head = matrix(model, "embed_out.weight");
  Rows logits;
  for (const Vector& row : x) logits.push_back(head * norm("final_layer_norm", row));
  return logits;
}

/// Logits [T][V] of the whole text.
inline Rows forward(const Model& model, const std::vector<int32_t>& tokens) {
  const std::string family = model.architecture().family();
  if (family == "gpt2") return gpt2(model, tokens);
  if (family == "gpt_neo") return gpt_neo(model, tokens);
  if (family == "gpt_neox") return gpt_neox(model, tokens);
  return llama(model, tokens);
}

}  // namespace assay::nn::scalar
