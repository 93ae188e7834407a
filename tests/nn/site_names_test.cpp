// What other tools call a site, and that these names mean the same value.
#include "assay/nn/site_names.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/nn/decoders.h"

namespace assay::nn {
namespace {

std::map<std::string, SiteMeaning> meanings_of(const Model& model) {
  std::map<std::string, SiteMeaning> meanings;
  const std::vector<std::string>& sites = model.architecture().sites();
  for (size_t i = 0; i < sites.size(); ++i)
    meanings[sites[i]] = meaning_of_site(model.architecture(), static_cast<SiteId>(i));
  return meanings;
}

TEST(SiteNames, AreThoseOfTheOtherTools) {
  const auto gpt2 = meanings_of(tiny_decoder("gpt2")), llama = meanings_of(tiny_decoder("llama"));
  const auto neox = meanings_of(tiny_decoder("gpt_neox")), neo = meanings_of(tiny_decoder("gpt_neo"));
  EXPECT_EQ(gpt2.at("hook_embed").bridge, "embed.hook_out");
  EXPECT_EQ(gpt2.at("hook_pos_embed").nnsight, "transformer.wpe.output");
  EXPECT_EQ(gpt2.at("blocks.1.hook_resid_pre").bridge, "blocks.1.hook_in");
  EXPECT_EQ(gpt2.at("blocks.1.hook_resid_pre").nnsight, "transformer.h.1.input");
  EXPECT_EQ(gpt2.at("blocks.1.hook_resid_post").nnsight, "transformer.h.1.output");
  EXPECT_EQ(gpt2.at("blocks.1.hook_resid_post").pyvene, "block_output");
  EXPECT_EQ(gpt2.at("blocks.1.ln1.hook_normalized").bridge, "blocks.1.ln1.hook_out");
  EXPECT_EQ(gpt2.at("blocks.1.ln1.hook_normalized").nnsight, "transformer.h.1.ln_1.output");
  EXPECT_EQ(gpt2.at("blocks.1.attn.hook_q").bridge, "blocks.1.attn.q.hook_out");
  EXPECT_EQ(gpt2.at("blocks.1.attn.hook_q").nnsight, "") << "a third of what c_attn gives";
  EXPECT_EQ(neo.at("blocks.1.attn.hook_q").nnsight, "transformer.h.1.attn.attention.q_proj.output");
  EXPECT_EQ(neox.at("blocks.0.attn.hook_z").nnsight, "gpt_neox.layers.0.attention.dense.input");
  EXPECT_EQ(neox.at("blocks.0.attn.hook_z").bridge, "blocks.0.attn.o.hook_in");
  EXPECT_EQ(llama.at("blocks.0.hook_attn_out").nnsight, "model.layers.0.self_attn.o_proj.output");
  EXPECT_EQ(llama.at("blocks.0.hook_resid_mid").bridge, "blocks.0.ln2.hook_in");
  EXPECT_EQ(llama.at("blocks.0.mlp.hook_pre").bridge, "blocks.0.mlp.gate.hook_out");
  EXPECT_EQ(llama.at("blocks.0.mlp.hook_pre").nnsight, "model.layers.0.mlp.gate_proj.output");
  EXPECT_EQ(llama.at("blocks.0.mlp.hook_pre_linear").bridge, "blocks.0.mlp.in.hook_out");
  EXPECT_EQ(gpt2.at("blocks.0.mlp.hook_pre").bridge, "blocks.0.mlp.in.hook_out");
  EXPECT_EQ(gpt2.at("blocks.0.mlp.hook_pre").nnsight, "transformer.h.0.mlp.c_fc.output");
  EXPECT_EQ(gpt2.at("blocks.0.mlp.hook_post").nnsight, "transformer.h.0.mlp.c_proj.input");
  EXPECT_EQ(llama.at("ln_final.hook_normalized").bridge, "ln_final.hook_out");
  EXPECT_EQ(llama.at("ln_final.hook_normalized").nnsight, "model.norm.output");
  EXPECT_EQ(neox.at("logits").nnsight, "embed_out.output");
  EXPECT_EQ(neox.at("logits").bridge, "unembed.hook_out");
  for (const char* ours_alone : {"blocks.0.hook_q_input", "blocks.0.attn.hook_result", "blocks.0.ln1.hook_scale"}) {
    EXPECT_EQ(gpt2.at(ours_alone).bridge, "") << ours_alone;
    EXPECT_EQ(gpt2.at(ours_alone).nnsight, "") << ours_alone;
    EXPECT_EQ(gpt2.at(ours_alone).shape.substr(0, 3), "B,T") << ours_alone;
  }
  EXPECT_EQ(meanings_of(tiny_mlp("regression")).at("layers.0.hook_pre").shape, "");
}

/// "blocks.1.attn.o.hook_in" and "model.layers.1.self_attn.o_proj.input" are what the layer "blocks.1.attn.o" reads.
TEST(SiteNames, OfWhatALayerReadsNameItsWeight) {
  for (const std::string& family : decoder_names()) {
    const Model model = tiny_decoder(family);
    const auto meanings = meanings_of(model);
    for (const Layer& layer : model.architecture().layers()) {
      if (!layer.name.ends_with(".o") && !layer.name.ends_with(".down")) continue;
      std::string module = model.parameters().name(static_cast<size_t>(layer.weight));
      module.erase(module.size() - std::string(".weight").size());
      EXPECT_EQ(meanings.at(layer.input).nnsight, module + ".input");
    }
  }
}

// In every family it is what the layers behind the norm read: TransformerLens shows it there of LayerNorm, and of
// RMSNorm what comes before the weight, which is the stream divided by hook_scale.
TEST(SiteNames, NormalizedIsWhatLayersRead) {
  for (const std::string& family : decoder_names()) {
    const Model model = tiny_decoder(family);
    const data::Batch batch = whole(random_texts({12, 8}));
    const auto run = model.run(batch, Taps{}.record("*"));
    for (const ResidualStream::Norm& norm : model.architecture().residual_stream().norms) {
      const std::string name = norm.output.substr(0, norm.output.rfind('.'));
      if (name == "ln_final") continue;  // checked by the logits below
      const std::string block = name.substr(0, name.rfind('.'));
      at::Tensor stream = run.value(block + (name.ends_with("ln1") ? ".hook_resid_pre" : ".hook_mlp_in"));
      if (norm.bias >= 0) stream = stream.sub(stream.mean(/*dim=*/{-1}, /*keepdim=*/true));
      at::Tensor expected =
          stream.div(run.value(name + ".hook_scale")).mul(model.parameters()[static_cast<size_t>(norm.weight)]);
      if (norm.bias >= 0) expected = expected.add(model.parameters()[static_cast<size_t>(norm.bias)]);
      EXPECT_LT(difference(run.value(norm.output), expected), 1e-12) << family << norm.output;
    }
    const at::Tensor head = model.parameters()[static_cast<size_t>(model.architecture().layers().back().weight)];
    EXPECT_LT(difference(run.value("ln_final.hook_normalized").matmul(head.t()), run.value("logits")), 1e-12) << family;
  }
}

}  // namespace
}  // namespace assay::nn
