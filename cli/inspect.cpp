// assay inspect: what a checkpoint holds and what its parts are called.
#include <ATen/core/Tensor.h>
#include <ATen/ops/norm.h>
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "assay/core/error.h"
#include "assay/core/hash.h"
#include "assay/core/plan.h"
#include "assay/core/version.h"
#include "assay/data/tokenizer.h"
#include "assay/nn/site_names.h"
#include "cli/commands.h"
#include "cli/loading.h"
#include "cli/planning.h"
#include "cli/result.h"
#include "cli/result_folder.h"

namespace assay::cli {
namespace {

using nlohmann::ordered_json;

std::string shape_text(const at::Tensor& tensor) {
  return fmt::format("{}", fmt::join(tensor.sizes().begin(), tensor.sizes().end(), " × "));
}

double norm_of(const at::Tensor& tensor) {
  return tensor.to(at::kDouble).norm().item<double>();
}

ordered_json facts_json(const nn::Checkpoint& checkpoint) {
  const nn::Facts facts = checkpoint.model.architecture().facts();
  return {{"family", checkpoint.model.architecture().family()},
          {"format", checkpoint.format},
          {"parameters", checkpoint.model.parameters().count()},
          {"blocks", facts.blocks},
          {"width", facts.width},
          {"heads", facts.heads},
          {"key_value_heads", facts.key_value_heads},
          {"head_width", facts.head_width},
          {"mlp_width", facts.mlp_width},
          {"vocabulary", facts.vocabulary},
          {"context", facts.context},
          {"features", facts.features},
          {"head_is_tied", facts.head_is_tied}};
}

/// [out, in], however it lies.
at::Tensor weight_of(const nn::Model& model, const nn::Layer& layer) {
  const at::Tensor& weight = model.parameters()[static_cast<size_t>(layer.weight)];
  return layer.is_transposed ? weight.t() : weight;
}

ordered_json layers_json(const nn::Model& model) {
  ordered_json layers = ordered_json::array();
  for (const nn::Layer& layer : model.architecture().layers()) {
    const at::Tensor weight = weight_of(model, layer);
    ordered_json entry{
        {"name", layer.name},          {"weight", model.parameters().name(static_cast<size_t>(layer.weight))},
        {"outputs", weight.size(0)},   {"inputs", weight.size(1)},
        {"has_bias", layer.bias >= 0}, {"can_be_tracked", layer.excluded.empty()}};
    if (!layer.excluded.empty()) entry["reason"] = layer.excluded;
    layers.push_back(entry);
  }
  return layers;
}

ordered_json weights_json(const nn::Checkpoint& checkpoint) {
  const nn::Parameters& parameters = checkpoint.model.parameters();
  ordered_json weights = ordered_json::array();
  for (size_t i = 0; i < parameters.size(); ++i) {
    weights.push_back({{"name", parameters.name(i)},
                       {"shape", parameters[i].sizes().vec()},
                       {"type", checkpoint.types[i]},
                       {"norm", norm_of(parameters[i])}});
  }
  return weights;
}

ordered_json sites_json(const nn::Architecture& architecture) {
  ordered_json sites = ordered_json::array();
  for (size_t i = 0; i < architecture.sites().size(); ++i) {
    const nn::SiteMeaning meaning = nn::meaning_of_site(architecture, static_cast<nn::SiteId>(i));
    ordered_json entry{{"name", architecture.sites()[i]}};
    if (!meaning.shape.empty()) entry["shape"] = meaning.shape;
    if (!meaning.pyvene.empty()) entry["pyvene"] = meaning.pyvene;
    if (!meaning.bridge.empty()) entry["transformerlens3"] = meaning.bridge;
    if (!meaning.nnsight.empty()) entry["nnsight"] = meaning.nnsight;
    sites.push_back(entry);
  }
  return sites;
}

/// The tokenizer beside a text model in one line; models of arrays have none. A model whose tokenizer cannot be read
/// can be looked at all the same.
std::string tokenizer_line(const InspectOptions& options, const nn::Architecture& architecture) {
  if (architecture.facts().features > 0) return "none";
  try {
    return data::load_tokenizer(options.model).description();
  } catch (const Error& error) {
    return fmt::format("not usable: {}", error.what());
  }
}

void print_facts(const nn::Checkpoint& checkpoint, const std::string& tokenizer) {
  const nn::Architecture& architecture = checkpoint.model.architecture();
  const nn::Facts facts = architecture.facts();
  const auto line = [](const char* name, const std::string& value) { fmt::print("  {:<14}{}\n", name, value); };
  fmt::print("{}\n", checkpoint.path);
  line("family", fmt::format("{}, from {}", architecture.family(), checkpoint.format));
  line("parameters", format_count(checkpoint.model.parameters().count()));
  line("blocks", fmt::format("{} of width {}", facts.blocks, facts.width));
  if (facts.heads > 0) {
    line("attention", fmt::format("{} of width {}, {} for keys and values", format_counted(facts.heads, "head"),
                                  facts.head_width, facts.key_value_heads));
    line("mlp", fmt::format("width {}", facts.mlp_width));
    line("vocabulary", fmt::format("{}, head {}", format_count(facts.vocabulary),
                                   facts.head_is_tied ? "tied to the embedding" : "of its own"));
    line("context", fmt::format("{} tokens", format_count(facts.context)));
  } else {
    line("in and out",
         fmt::format("{}, {}", format_counted(facts.features, "feature"), format_counted(facts.vocabulary, "output")));
  }
  line("tokenizer", tokenizer);
  const auto& layers = architecture.layers();
  const auto tracked =
      std::count_if(layers.begin(), layers.end(), [](const nn::Layer& layer) { return layer.excluded.empty(); });
  line("layers", fmt::format("{} linear, {} of which can be tracked (--layers)", layers.size(), tracked));
  line("sites", fmt::format("{} (--sites)", architecture.sites().size()));
  line("hash", checkpoint.hash);
}

void print_sites(const nn::Architecture& architecture) {
  const char* row = "{:<32}{:<10}{:<29}{:<28}{}";
  fmt::print("\n{}\n",
             fmt::format(fmt::runtime(row), "site", "shape", "in pyvene", "in TransformerLens 3", "in nnsight"));
  for (size_t i = 0; i < architecture.sites().size(); ++i) {
    const nn::SiteMeaning meaning = nn::meaning_of_site(architecture, static_cast<nn::SiteId>(i));
    const std::string line = fmt::format(fmt::runtime(row), architecture.sites()[i], meaning.shape, meaning.pyvene,
                                         meaning.bridge, meaning.nnsight);
    fmt::print("{}\n", line.substr(0, line.find_last_not_of(' ') + 1));
  }
}

void print_layers(const nn::Model& model) {
  fmt::print("\n{:<28}{:>14}  {}\n", "layer", "out × in", "tracked");
  for (const nn::Layer& layer : model.architecture().layers()) {
    const at::Tensor weight = weight_of(model, layer);
    const std::string shape = fmt::format("{} × {}", weight.size(0), weight.size(1));
    fmt::print("{:<28}{:>14}  {}\n", layer.name, shape, layer.excluded.empty() ? "yes" : "no: " + layer.excluded);
  }
}

void print_weights(const nn::Checkpoint& checkpoint) {
  const nn::Parameters& parameters = checkpoint.model.parameters();
  fmt::print("\n{:<52}{:>16}{:>7}{:>12}\n", "weight", "shape", "type", "norm");
  for (size_t i = 0; i < parameters.size(); ++i) {
    fmt::print("{:<52}{:>16}{:>7}{:>12.5g}\n", parameters.name(i), shape_text(parameters[i]), checkpoint.types[i],
               norm_of(parameters[i]));
  }
}

}  // namespace

void run(const InspectOptions& options, Session& session) {
  if (stops_at_plan(session, "inspect", loading_cost(options.model, options.common.precision))) return;
  const nn::Checkpoint checkpoint = nn::load_checkpoint(options.model, dtype_of(options.common));
  const nn::Architecture& architecture = checkpoint.model.architecture();
  const std::string tokenizer = tokenizer_line(options, architecture);
  Hasher identity;
  identity.add("inspect").add(version()).add(checkpoint.hash).add(tokenizer);
  identity.add(uint64_t{options.sites}).add(uint64_t{options.layers}).add(uint64_t{options.weights});
  identity.add(static_cast<uint64_t>(options.common.precision));
  const auto folder = claim_out(session, identity.digest128());
  ordered_json result = result_head(session.invocation);
  result["model"] = {{"path", checkpoint.path}, {"hash", checkpoint.hash}};
  result["facts"] = facts_json(checkpoint);
  result["tokenizer"] = tokenizer;
  if (options.sites) result["sites"] = sites_json(architecture);
  if (options.layers) result["layers"] = layers_json(checkpoint.model);
  if (options.weights) result["weights"] = weights_json(checkpoint);
  if (folder) folder->write_result(result);
  if (options.common.json) return print_json(result);
  print_facts(checkpoint, tokenizer);
  if (options.sites) print_sites(architecture);
  if (options.layers) print_layers(checkpoint.model);
  if (options.weights) print_weights(checkpoint);
}

}  // namespace assay::cli
