// What must hold between the sites of every family: sums, copies, gradients, padding, caches, single heads.
#include <ATen/ops/einsum.h>
#include <ATen/ops/full_like.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "assay/core/twin.h"
#include "assay/nn/generate.h"
#include "assay/nn/gradients.h"
#include "tests/nn/decoders.h"
#include "tests/support/errors.h"

namespace assay::nn {
namespace {

class Sites : public ::testing::TestWithParam<std::string> {
 protected:
  bool has(const std::string& site) const {
    const auto& sites = model.architecture().sites();
    return std::find(sites.begin(), sites.end(), site) != sites.end();
  }
  at::Tensor replaced(const std::string& site, const at::Tensor& value) const {
    return model.run(batch, Taps{}.replace(site, value)).output.logits();
  }

  Model model = tiny_decoder(GetParam());
  Facts facts = model.architecture().facts();
  data::Batch batch = whole(random_texts({12, 8}));
  at::Tensor logits = model.run(batch).output.logits();
};

INSTANTIATE_TEST_SUITE_P(Families, Sites, ::testing::ValuesIn(decoder_names()),
                         [](const auto& family) { return family.param.substr(0, family.param.find(',')); });

TEST_P(Sites, TheResidualStreamIsTheSumOfItsWrites) {
  const auto run = model.run(batch, Taps{}.record("*"));
  at::Tensor sum = run.value("hook_embed");
  if (has("hook_pos_embed")) sum = sum.add(run.value("hook_pos_embed"));
  for (const std::string block : {"blocks.0.", "blocks.1."}) {
    EXPECT_LT(difference(run.value(block + "hook_resid_pre"), sum), 1e-12);
    at::Tensor heads = run.value(block + "attn.hook_result").sum(2);
    const Layer& output =
        model.architecture().layers()[static_cast<size_t>(model.architecture().match_layers(block + "attn.o")[0])];
    if (output.bias >= 0) heads = heads.add(model.parameters()[static_cast<size_t>(output.bias)]);
    EXPECT_LT(difference(heads, run.value(block + "hook_attn_out")), 1e-12);
    const at::Tensor middle = sum.add(run.value(block + "hook_attn_out"));
    EXPECT_EQ(has(block + "hook_resid_mid"), GetParam() != "gpt_neox");
    if (has(block + "hook_resid_mid")) {
      EXPECT_LT(difference(run.value(block + "hook_resid_mid"), middle), 1e-12);
      EXPECT_LT(difference(run.value(block + "hook_mlp_in"), middle), 1e-12);
    } else {
      EXPECT_TRUE(run.value(block + "hook_mlp_in").equal(run.value(block + "hook_resid_pre")));
    }
    sum = middle.add(run.value(block + "hook_mlp_out"));
    EXPECT_LT(difference(run.value(block + "hook_resid_post"), sum), 1e-12);
  }
}

// Shapes [N,T,..] of the sheet: a tap sees all H heads, also where keys and values are shared.
TEST_P(Sites, HaveTheShapesOfTheirNames) {
  const auto run = model.run(batch, Taps{}.record("*"));
  const int64_t n = 2, t = 11, h = facts.heads, k = facts.head_width, d = facts.width;
  for (const auto& [name, value] : run.recording->values) {
    const std::string& site = name;
    std::vector<int64_t> shape{n, t, d};
    const auto is = [&](std::initializer_list<const char*> endings) {
      return std::any_of(endings.begin(), endings.end(), [&](const char* end) { return site.ends_with(end); });
    };
    if (is({".hook_q", ".hook_k", ".hook_v", ".hook_rot_q", ".hook_rot_k", ".hook_z"})) shape = {n, t, h, k};
    if (is({"hook_attn_in", "hook_q_input", "hook_k_input", "hook_v_input", "hook_result"})) shape = {n, t, h, d};
    if (is({"hook_attn_scores", "hook_pattern"})) shape = {n, h, t, t};
    if (is({"mlp.hook_pre", "mlp.hook_pre_linear", "mlp.hook_post"})) shape = {n, t, facts.mlp_width};
    if (is({".hook_scale"})) shape = {n, t, 1};
    if (site == "logits") shape = {n, t, facts.vocabulary};
    EXPECT_EQ(value.sizes().vec(), shape) << site;
  }
  EXPECT_EQ(run.recording->values.size(), model.architecture().sites().size());
}

TEST_P(Sites, PatternRowsSumToOneAndSeeWhatTheyMay) {
  const auto run = model.run(batch, Taps{}.record("*.attn.hook_pattern"));
  EXPECT_LT(difference(run.output.logits(), logits), 1e-5);  // the explicit path
  for (const auto& [site, pattern] : run.recording->values) {
    EXPECT_LT(pattern.sum(-1).sub(1).abs().max().item<double>(), 1e-12);
    EXPECT_EQ(pattern.triu(1).abs().max().item<double>(), 0.0);
    const bool local = GetParam() != "llama" && site.starts_with("blocks.1.") &&
                       (GetParam() == "gpt_neo" || GetParam() == "qwen2, windows");
    EXPECT_EQ(pattern.tril(-5).abs().max().item<double>() == 0.0, local) << site;
  }
}

TEST_P(Sites, ReplacingAnyValueByItselfChangesNoBit) {
  for (const std::string& site : model.architecture().sites()) {
    const auto first = model.run(batch, Taps{}.record(site));
    const at::Tensor again = replaced(site, first.value(site).clone());
    EXPECT_TRUE(again.equal(first.output.logits())) << site;
    EXPECT_LT(difference(again, logits), 1e-10) << site;  // paths of their own for patterns and single heads
  }
}

// A site that no later computation reads would pass the test above.
TEST_P(Sites, ChangingAnyValueChangesTheLogits) {
  for (const std::string& site : model.architecture().sites()) {
    const at::Tensor value = model.run(batch, Taps{}.record(site)).value(site);
    const at::Tensor changed = value.add(value.mul(3).cos().nan_to_num(), 0.1);  // cos(-infinity) is no number
    EXPECT_GT(difference(replaced(site, changed), logits), 1e-6) << site;
  }
}

TEST_P(Sites, RecordedGradientsAreFiniteDifferences) {
  for (const std::string& site : model.architecture().sites()) {
    if (site.ends_with("hook_attn_scores")) continue;  // -infinity has no neighbours
    const auto run = model.run(batch, Taps{}.record_gradient(site).record(site));
    log_probability().evaluate(run.output, batch).sum().backward();
    const at::Tensor gradient = run.recording->gradient(site), value = run.value(site).detach();
    const at::Tensor direction = value.sin();  // any direction will do
    const auto along = [&](double step) {
      const auto moved = model.run(batch, Taps{}.replace(site, value.add(direction, step)));
      return log_probability().evaluate(moved.output, batch).sum().item<double>();
    };
    const double expected = (along(1e-5) - along(-1e-5)) / 2e-5, found = gradient.mul(direction).sum().item<double>();
    // Central differences: an error of 1e-10 times a third derivative, and rounding of 1e-16 · 100 nats / 1e-5.
    EXPECT_NEAR(found, expected, 1e-6 * (1 + std::abs(expected) + gradient.norm().item<double>())) << site;
  }
}

TEST_P(Sites, AHeadReadsItsOwnInput) {
  const std::string block = "blocks.1.";
  const auto run = model.run(batch, Taps{}.record(block + "hook_resid_pre").record(block + "attn.hook_q"));
  const at::Tensor residual = run.value(block + "hook_resid_pre"), q = run.value(block + "attn.hook_q");
  const auto q_of_head_1 = [&](const at::Tensor& input, int64_t head) {
    return model
        .run(batch, Taps{}
                        .edit(block + "hook_q_input",
                              [&](const at::Tensor& all, const Recording&) {
                                at::Tensor changed = all.clone();
                                changed.select(2, head).copy_(input);
                                return changed;
                              })
                        .record(block + "attn.hook_q"))
        .value(block + "attn.hook_q");
  };
  const at::Tensor other = residual.flip({1});
  const at::Tensor changed = q_of_head_1(other, 1);
  const at::Tensor all_changed =
      model.run(batch, Taps{}.replace(block + "hook_resid_pre", other).record(block + "attn.hook_q"))
          .value(block + "attn.hook_q");
  for (int64_t h = 0; h < facts.heads; ++h) {
    const at::Tensor& expected = h == 1 ? all_changed : q;
    EXPECT_LT(difference(changed.select(2, h), expected.select(2, h)), 1e-12) << h;
  }
  EXPECT_GT(difference(changed.select(2, 1), q.select(2, 1)), 1e-2);
}

TEST_P(Sites, InputsOfHeadsAndTheNormBeforeThemAreChangedOneAtATime) {
  const auto said = [&](const Taps& taps) { return error_of([&] { model.run(batch, taps); }); };
  const at::Tensor zero = at::full_like(
      model.run(batch, Taps{}.record("blocks.0.ln1.hook_normalized")).value("blocks.0.ln1.hook_normalized"), 0.0);
  EXPECT_FALSE(said(Taps{}.record("blocks.0.hook_q_input").record("blocks.0.ln1.*")));
  EXPECT_THAT(said(Taps{}.record("blocks.0.hook_q_input").replace("blocks.0.ln1.hook_normalized", zero)),
              Refusal(ErrorKind::Usage, "\"blocks.0.ln1.hook_normalized\" may only be recorded"));
  const std::vector<LayerId> output = model.architecture().match_layers("blocks.0.attn.o");
  EXPECT_THAT(said(Taps{}.record("blocks.0.attn.hook_result").capture(output, [](const FactoredGradient&) {})),
              Refusal(ErrorKind::Usage, "\"blocks.0.attn.o\" must be applied as a whole"));
}

TEST_P(Sites, PaddingOnEitherSideAndCompanyChangeNothing) {
  const data::Dataset texts = random_texts({12, 6, 9});
  const std::vector<int64_t> all{0, 1, 2};
  const auto left = data::make_batch(texts, all, at::kDouble, 0, data::PaddingSide::Left);
  const auto right = data::make_batch(texts, all, at::kDouble);
  const auto losses = [&](const data::Batch& one) { return evaluate(model, one, loss()); };
  const at::Tensor from_left = model.run(left).output.logits(), from_right = model.run(right).output.logits();
  for (const int64_t row : all) {
    const std::vector<int64_t> only{row};
    const data::Batch single = data::make_batch(texts, only, at::kDouble);
    const at::Tensor alone = model.run(single).output.logits()[0];
    const int64_t real = alone.size(0);
    EXPECT_LT(difference(from_right[row].narrow(0, 0, real), alone), 1e-11);
    EXPECT_LT(difference(from_left[row].narrow(0, 11 - real, real), alone), 1e-11);
    EXPECT_NEAR(losses(left)[row].item<double>(), losses(single)[0].item<double>(), 1e-10);
  }
  EXPECT_TRUE(from_left.isfinite().all().item<bool>());  // padding, too, must not poison sums
  const ScopedTwin twin("nn.left_padding_ignored");
  EXPECT_GT(difference(model.run(left).output.logits()[1].narrow(0, 6, 5), from_left[1].narrow(0, 6, 5)), 1e-3);
}

TEST_P(Sites, GradientsDoNotDependOnTheSideOfThePadding) {
  const data::Dataset texts = random_texts({12, 6, 9});
  const std::vector<int64_t> all{0, 1, 2};
  const std::vector<LayerId> layers = model.architecture().match_layers("*");
  const auto norms = [&](data::PaddingSide side) {
    std::map<LayerId, at::Tensor> found;
    stream_gradients(model, data::make_batch(texts, all, at::kDouble, 0, side), loss(), layers,
                     [&](const FactoredGradient& gradient) { found[gradient.layer] = gradient.squared_norm(); });
    return found;
  };
  const auto right = norms(data::PaddingSide::Right), left = norms(data::PaddingSide::Left);
  ASSERT_EQ(right.size(), layers.size());
  for (const auto& [layer, squares] : right)
    EXPECT_LT(difference(squares.sqrt(), left.at(layer).sqrt()), 1e-9 * (1 + squares.sqrt().max().item<double>()));
}

TEST_P(Sites, CapturedGradientsAreThoseOfAutograd) {
  const std::vector<LayerId> layers = model.architecture().match_layers("*");
  std::map<LayerId, at::Tensor> captured;
  stream_gradients(model, batch, loss(), layers,
                   [&](const FactoredGradient& gradient) { captured[gradient.layer] = gradient.dense().sum(0); });
  Model leaves = model.with(model.parameters().clone());
  leaves.parameters().require_gradients(true);
  loss().evaluate(leaves.run(batch).output, batch).sum().backward();
  for (const LayerId id : layers) {
    const Layer& layer = model.architecture().layers()[static_cast<size_t>(id)];
    at::Tensor expected = leaves.parameters()[static_cast<size_t>(layer.weight)].grad();
    if (layer.is_transposed) expected = expected.t();
    const at::Tensor found = captured.at(id);
    EXPECT_LT(difference(found.narrow(1, 0, expected.size(1)), expected), 1e-10) << layer.name;
    if (layer.bias < 0) continue;
    const at::Tensor bias = leaves.parameters()[static_cast<size_t>(layer.bias)].grad();
    EXPECT_LT(difference(found.select(1, expected.size(1)), bias), 1e-10) << layer.name;
  }
}

TEST_P(Sites, ACacheGivesWhatTheFullPassGives) {
  const std::vector<int32_t> text{3, 17, 28, 4, 11, 2, 25, 7, 19};
  const at::Tensor full = model.run(data::prompt_batch(text)).output.logits()[0];
  for (const char* taps : {"", "*.attn.hook_k", "*.hook_v_input"}) {
    KeyValueCache cache;
    int64_t done = 0;
    for (const int64_t count : {4, 1, 3, 1}) {  // several tokens at once, too
      const std::vector<int32_t> next{text.begin() + done, text.begin() + done + count};
      Taps recorded;
      if (*taps && done > 0) recorded.record(taps);  // all heads where the cache holds the shared ones
      const auto run = model.run(data::prompt_batch(next), recorded, {.cache = &cache, .first_block = 0, .state = {}});
      EXPECT_LT(difference(run.output.logits()[0], full.narrow(0, done, count)), 1e-11) << done << taps;
      done += count;
    }
  }
}

TEST_P(Sites, TextsGeneratedTogetherAreThoseGeneratedAlone) {
  const std::vector<std::vector<int32_t>> prompts{{3, 17, 28, 5, 9}, {11}, {2, 2, 20}};
  for (const double temperature : {0.0, 1.0}) {
    GenerateOptions options{.max_tokens = 9, .temperature = temperature, .seed = 4};
    const auto together = generate_all(model, prompts, options);
    ASSERT_EQ(together.size(), 3u);
    EXPECT_EQ(together[0], generate(model, prompts[0], options));  // the first prompt's stream is a single one's
    if (temperature > 0) continue;
    for (size_t i = 0; i < 3; ++i) EXPECT_EQ(together[i], generate(model, prompts[i], options)) << i;
    options.stop = {together[1][2]};
    const auto stopped = generate_all(model, prompts, options);
    for (size_t i = 0; i < 3; ++i) EXPECT_EQ(stopped[i], generate(model, prompts[i], options)) << i;
    EXPECT_LE(stopped[1].size(), 2u);
  }
}

TEST_P(Sites, GoingOnFromARecordedStateGivesTheSameLogits) {
  const auto run = model.run(batch, Taps{}.record("blocks.1.hook_resid_pre"));
  const auto rest =
      model.run(batch, {}, {.cache = nullptr, .first_block = 1, .state = run.value("blocks.1.hook_resid_pre")});
  EXPECT_TRUE(rest.output.logits().equal(logits));
}

// Editing what lies beyond the window of a local block must not be felt; a global block feels it.
TEST(GptNeo, ALocalBlockForgetsWhatItsWindowLeft) {
  for (const char* kind : {"local", "global"}) {
    nlohmann::json config = decoder_config("gpt_neo");
    config["num_layers"] = 1;
    config.erase("attention_types");
    config["attention_layers"] = {kind};
    const Model model = initialize(make_architecture(config), 7, at::kDouble);
    std::vector<int32_t> text{3, 17, 28, 4, 11, 2, 25, 7, 19};
    const at::Tensor before = model.run(data::prompt_batch(text)).output.logits()[0];
    for (int32_t& token : std::span(text).first(4)) token = (token + 7) % 29;  // 8 - 5 = 3 is the last one out of sight
    const at::Tensor after = model.run(data::prompt_batch(text)).output.logits()[0];
    EXPECT_EQ(difference(before[8], after[8]) == 0.0, std::string(kind) == "local");
    EXPECT_GT(difference(before[7], after[7]), 1e-6);
  }
}

TEST(Decoder, UnknownSitesGetTheirNeighbours) {
  const Model model = tiny_decoder("llama");
  EXPECT_THAT(error_of([&] { model.run(whole(random_texts({5})), Taps{}.record("blocks.0.hook_resid_por")); }),
              Refusal(ErrorKind::Usage, "\"blocks.0.hook_resid_post\""));
}

TEST(Decoder, AddingToOneRowLeavesTheOthersAlone) {
  const Model model = tiny_decoder("llama");
  const data::Batch batch = whole(random_texts({9, 6}));
  const at::Tensor logits = model.run(batch).output.logits(), vector = model.parameters()[0][3];  // [D]
  const at::Tensor changed = model.run(batch, Taps{}.add("blocks.1.hook_resid_pre", vector, {1})).output.logits();
  EXPECT_TRUE(changed[0].equal(logits[0]));
  EXPECT_GT(difference(changed[1], logits[1]), 1e-2);
  const auto add = [&](const at::Tensor& value, const Recording&) { return value.add(vector); };
  EXPECT_TRUE(model.run(batch, Taps{}.edit("blocks.1.hook_resid_pre", add)).output.logits()[1].equal(changed[1]));
}

TEST(Generate, TextsMustFitTheContext) {
  const Model model = tiny_decoder("llama");
  EXPECT_THAT(error_of([&] {
                generate(model, std::vector<int32_t>{3, 17, 28}, {.max_tokens = 62});
              }),
              Refusal(ErrorKind::Usage, "context of 64 tokens"));
}

TEST(Generate, LogitsThatAreNotFiniteAreAnErrorAndNoText) {
  const Model sound = tiny_decoder("llama", at::kFloat);
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
