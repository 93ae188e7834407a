// The llama family against an independent scalar forward pass in float64, written from the equations of the sheet, and
// against what must hold between its sites.
#include <ATen/ops/log_softmax.h>
#include <gtest/gtest.h>

#include <cmath>

#include "assay/core/twin.h"
#include "assay/nn/generate.h"
#include "assay/nn/gradients.h"
#include "tests/nn/models.h"
#include "tests/support/errors.h"

namespace assay::nn {
namespace {

using Vector = std::vector<double>;
using Rows = std::vector<Vector>;  // [T] vectors

// A weight as plain numbers.
struct Matrix {
  std::vector<double> numbers;
  size_t rows, columns;
  Vector operator*(const Vector& x) const {
    Vector y(rows, 0.0);
    for (size_t r = 0; r < rows; ++r) {
      for (size_t c = 0; c < columns; ++c) y[r] += numbers[r * columns + c] * x[c];
    }
    return y;
  }
};

Matrix matrix(const Model& model, const std::string& name) {
  for (size_t i = 0; i < model.parameters().size(); ++i) {
    if (model.parameters().name(i) != name) continue;
    const at::Tensor weight = model.parameters()[i].to(at::kDouble).contiguous();
    const double* data = weight.const_data_ptr<double>();
    const auto rows = static_cast<size_t>(weight.size(0));
    return {{data, data + weight.numel()}, rows, weight.dim() > 1 ? static_cast<size_t>(weight.size(1)) : 1};
  }
  ADD_FAILURE() << name;
  return {};
}

Vector rms(const Vector& x, const Matrix& weight, double epsilon) {
  double square = 0;
  for (double v : x) square += v * v;
  const double scale = std::sqrt(square / static_cast<double>(x.size()) + epsilon);
  Vector y(x.size());
  for (size_t i = 0; i < x.size(); ++i) y[i] = x[i] / scale * weight.numbers[i];
  return y;
}

void rotate(double* head, size_t width, size_t position, double base) {
  for (size_t i = 0; i < width / 2; ++i) {
    const double angle =
        static_cast<double>(position) * std::pow(base, -2.0 * static_cast<double>(i) / static_cast<double>(width));
    const double x = head[i], y = head[i + width / 2];
    head[i] = x * std::cos(angle) - y * std::sin(angle);
    head[i + width / 2] = y * std::cos(angle) + x * std::sin(angle);
  }
}

void add(Vector& x, const Vector& y) {
  for (size_t i = 0; i < x.size(); ++i) x[i] += y[i];
}

Rows scalar_forward(const Model& model, const std::vector<int32_t>& tokens) {
  const Facts facts = model.architecture().facts();
  const auto heads = static_cast<size_t>(facts.heads), groups = static_cast<size_t>(facts.key_value_heads),
             width = static_cast<size_t>(facts.head_width);
  const double epsilon = 1e-5;
  const Matrix embedding = matrix(model, "model.embed_tokens.weight");
  Rows x;
  for (int32_t token : tokens) {
    const double* row = embedding.numbers.data() + static_cast<size_t>(token) * embedding.columns;
    x.emplace_back(row, row + embedding.columns);
  }
  for (int64_t l = 0; l < facts.blocks; ++l) {
    const std::string name = "model.layers." + std::to_string(l) + ".";
    const Matrix wq = matrix(model, name + "self_attn.q_proj.weight"),
                 wk = matrix(model, name + "self_attn.k_proj.weight");
    const Matrix wv = matrix(model, name + "self_attn.v_proj.weight"),
                 wo = matrix(model, name + "self_attn.o_proj.weight");
    Rows q, k, v;
    for (size_t t = 0; t < x.size(); ++t) {
      const Vector n = rms(x[t], matrix(model, name + "input_layernorm.weight"), epsilon);
      q.push_back(wq * n), k.push_back(wk * n), v.push_back(wv * n);
      for (size_t h = 0; h < heads; ++h) rotate(q[t].data() + h * width, width, t, 10000.0);
      for (size_t h = 0; h < groups; ++h) rotate(k[t].data() + h * width, width, t, 10000.0);
    }
    for (size_t t = 0; t < x.size(); ++t) {
      Vector z(heads * width, 0.0);
      for (size_t h = 0; h < heads; ++h) {
        const size_t g = h * groups / heads;
        Vector weight(t + 1);
        double sum = 0;
        for (size_t s = 0; s <= t; ++s) {
          double score = 0;
          for (size_t i = 0; i < width; ++i) score += q[t][h * width + i] * k[s][g * width + i];
          sum += weight[s] = std::exp(score / std::sqrt(static_cast<double>(width)));
        }
        for (size_t s = 0; s <= t; ++s) {
          for (size_t i = 0; i < width; ++i) z[h * width + i] += weight[s] / sum * v[s][g * width + i];
        }
      }
      add(x[t], wo * z);
    }
    for (Vector& row : x) {
      const Vector n = rms(row, matrix(model, name + "post_attention_layernorm.weight"), epsilon);
      const Vector gate = matrix(model, name + "mlp.gate_proj.weight") * n;
      Vector middle = matrix(model, name + "mlp.up_proj.weight") * n;
      for (size_t i = 0; i < middle.size(); ++i) middle[i] *= gate[i] / (1 + std::exp(-gate[i]));
      add(row, matrix(model, name + "mlp.down_proj.weight") * middle);
    }
  }
  Rows logits;
  const Matrix head =
      matrix(model, model.architecture().facts().head_is_tied ? "model.embed_tokens.weight" : "lm_head.weight");
  for (const Vector& row : x) logits.push_back(head * rms(row, matrix(model, "model.norm.weight"), epsilon));
  return logits;
}

// The norms' weights are ones after initialisation, which would hide a forgotten multiplication.
Model with_uneven_norms(const Model& model) {
  Model changed = model.with(model.parameters().clone());
  for (size_t i = 0; i < changed.parameters().size(); ++i) {
    at::Tensor& tensor = changed.parameters()[i];
    if (tensor.dim() != 1) continue;
    for (int64_t j = 0; j < tensor.numel(); ++j) tensor[j].fill_(0.5 + random_uniform(5, i, static_cast<uint64_t>(j)));
  }
  return changed;
}

double forward_error(const Model& model) {
  const std::vector<int32_t> tokens{3, 17, 28, 0, 5, 5, 11, 20, 2};
  const at::Tensor logits = model.run(data::prompt_batch(tokens)).output.logits().squeeze(0).to(at::kDouble);
  const Rows expected = scalar_forward(model, tokens);
  double largest = 0;
  for (size_t t = 0; t < expected.size(); ++t) {
    for (size_t v = 0; v < expected[t].size(); ++v) {
      largest = std::max(
          largest, std::abs(expected[t][v] - logits[static_cast<int64_t>(t)][static_cast<int64_t>(v)].item<double>()));
    }
  }
  return largest;
}

TEST(Llama, LogitsEqualAScalarForwardPass) {
  for (bool tied : {false, true}) {
    const Model model = with_uneven_norms(tiny_llama(tied));
    EXPECT_LT(forward_error(model), 1e-12);  // float64: a few hundred roundings of numbers below 100
    EXPECT_LT(forward_error(model.with(model.parameters().to(at::kFloat))), 1e-4);
  }
}

TEST(Llama, WrongRotationOrActivationIsCaught) {
  const Model model = with_uneven_norms(tiny_llama());
  for (const char* twin : {"kernel.rotary_adjacent_pairs", "kernel.gate_without_silu", "kernel.groups_interleaved"}) {
    const ScopedTwin on(twin);
    EXPECT_GT(forward_error(model), 1e-3) << twin;
  }
}

class LlamaSites : public ::testing::Test {
 protected:
  Model model = with_uneven_norms(tiny_llama());
  data::Batch batch = whole(random_texts({9, 6}));
  at::Tensor logits = model.run(batch).output.logits();
};

TEST_F(LlamaSites, TheResidualStreamIsTheSumOfItsWrites) {
  const auto run = model.run(batch, Taps{}.record("*"));
  at::Tensor sum = run.value("hook_embed");
  for (const std::string block : {"blocks.0.", "blocks.1."}) {
    EXPECT_LT(difference(run.value(block + "hook_resid_pre"), sum), 1e-12);
    EXPECT_LT(difference(run.value(block + "attn.hook_result").sum(2), run.value(block + "hook_attn_out")), 1e-12);
    sum = sum.add(run.value(block + "hook_attn_out")).add(run.value(block + "hook_mlp_out"));
    EXPECT_LT(difference(run.value(block + "hook_resid_post"), sum), 1e-12);
  }
}

TEST_F(LlamaSites, PatternRowsSumToOneAndNeverLookAhead) {
  const auto run = model.run(batch, Taps{}.record("*.attn.hook_pattern"));
  EXPECT_LT(difference(run.output.logits(), logits), 1e-5);  // the explicit path
  for (const auto& [site, pattern] : run.recording->values) {
    EXPECT_LT(pattern.sum(-1).sub(1).abs().max().item<double>(), 1e-12);
    EXPECT_EQ(pattern.triu(1).abs().max().item<double>(), 0.0);
  }
}

TEST_F(LlamaSites, ReplacingAValueByItselfChangesNoBit) {
  for (const char* site : {"hook_embed", "blocks.0.hook_resid_mid", "blocks.1.attn.hook_z", "blocks.1.mlp.hook_post",
                           "ln_final.hook_normalized"}) {
    const auto first = model.run(batch, Taps{}.record(site));
    EXPECT_TRUE(model.run(batch, Taps{}.replace(site, first.value(site))).output.logits().equal(logits)) << site;
  }
}

TEST_F(LlamaSites, AddingToOneRowLeavesTheOthersAlone) {
  const at::Tensor vector = model.parameters()[0][3];  // [D]
  const at::Tensor changed = model.run(batch, Taps{}.add("blocks.1.hook_resid_pre", vector, {1})).output.logits();
  EXPECT_TRUE(changed[0].equal(logits[0]));
  EXPECT_GT(difference(changed[1], logits[1]), 1e-2);
  const at::Tensor edited =
      model
          .run(batch, Taps{}.edit("blocks.1.hook_resid_pre",
                                  [&](const at::Tensor& value, const Recording&) { return value.add(vector); }))
          .output.logits();
  EXPECT_TRUE(edited[1].equal(changed[1]));
}

TEST_F(LlamaSites, UnknownSitesGetTheirNeighbours) {
  EXPECT_THAT(error_of([&] { model.run(batch, Taps{}.record("blocks.0.hook_resid_por")); }),
              Refusal(ErrorKind::Usage, "\"blocks.0.hook_resid_post\""));
}

TEST_F(LlamaSites, GoingOnFromARecordedStateGivesTheSameLogits) {
  const auto run = model.run(batch, Taps{}.record("blocks.1.hook_resid_pre"));
  const auto rest =
      model.run(batch, {}, {.cache = nullptr, .first_block = 1, .state = run.value("blocks.1.hook_resid_pre")});
  EXPECT_TRUE(rest.output.logits().equal(logits));
}

TEST_F(LlamaSites, RecordedGradientsAreFiniteDifferences) {
  const std::string site = "blocks.0.hook_resid_post";
  const auto run = model.run(batch, Taps{}.record_gradient(site).record(site));
  log_probability().evaluate(run.output, batch).sum().backward();
  const at::Tensor gradient = run.recording->gradient(site), value = run.value(site).detach();
  const at::Tensor direction = value.sin();  // any direction will do
  const auto along = [&](double step) {
    return log_probability()
        .evaluate(model.run(batch, Taps{}.replace(site, value.add(direction, step))).output, batch)
        .sum()
        .item<double>();
  };
  const double step = 1e-5,
               slope = (along(step) - along(-step)) / (2 * step);  // error O(step²) and rounding / step: 1e-9
  EXPECT_NEAR(gradient.mul(direction).sum().item<double>(), slope, 1e-6 * std::abs(slope) + 1e-7);
}

TEST_F(LlamaSites, PaddingAndCompanyChangeNothing) {
  const data::Dataset texts = random_texts({9, 6});
  const std::vector<int64_t> second{1};
  const at::Tensor alone = model.run(data::make_batch(texts, second)).output.logits();
  EXPECT_LT(difference(alone[0], logits[1].narrow(0, 0, 5)), 1e-12);
}

TEST_F(LlamaSites, DecodingWithACacheChoosesWhatTheFullPassChooses) {
  std::vector<int32_t> text{3, 17, 28};
  const std::vector<int32_t> made = generate(model, text, {.max_tokens = 12});
  for (int32_t token : made) {
    const at::Tensor last = model.run(data::prompt_batch(text)).output.logits()[0][-1];
    EXPECT_EQ(last.argmax().item<int64_t>(), token);
    text.push_back(token);
  }
  EXPECT_THAT(error_of([&] { generate(model, text, {.max_tokens = 60}); }),
              Refusal(ErrorKind::Usage, "context of 64 tokens"));
}

TEST(Generate, LogitsThatAreNotFiniteAreAnErrorAndNoText) {
  const Model sound = tiny_llama(true, at::kFloat);
  Parameters weights = sound.parameters().to(at::kFloat);
  for (size_t i = 0; i < weights.size(); ++i) {
    const std::string& name = weights.name(i);
    if (name.find("q_proj") != std::string::npos || name.find("k_proj") != std::string::npos)
      weights[i] = weights[i].mul(1e30);
  }
  const std::vector<int32_t> prompt{3, 17, 28};
  const auto said = [&](const Model& model) { return error_of([&] { generate(model, prompt, {.max_tokens = 2}); }); };
  const Model model = sound.with(weights);  // scores of 1e60: beyond float32, within float64
  EXPECT_FALSE(said(sound));
  EXPECT_THAT(said(model),
              Refusal(ErrorKind::Numeric, "the model's logits must be finite, but that of token 0 is not a number"));
  EXPECT_FALSE(said(model.with(weights.to(at::kDouble))));
  const ScopedTwin twin("nn.logits_not_finite");
  EXPECT_FALSE(said(model));
}

}  // namespace
}  // namespace assay::nn
