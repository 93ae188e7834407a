// What each stage of an attribution costs beside a plain training pass, on the same batches in the same run.
//
//   build/bench/bench_stages [--quick] [--benchmark_out=FILE]        run from the project's root
//
// "Bare" is a forward and backward pass with all weight gradients: once through the engine, once through a Llama
// written plainly on ATen operators below; the faster counts. Printed for every stage: seconds, the ratio to bare, the
// ratio of counted operations (docs/performance.md derives them), and how far the one exceeds the other. The machine's
// ceilings are measured in the same run. Without arguments: stories260K on 1,000 stories at 256 tokens, then SmolLM2 on
// 16 at 256.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/silu.h>
#include <benchmark/benchmark.h>
#include <fmt/core.h>
#include <torch/csrc/autograd/autograd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "assay/core/error.h"
#include "assay/curvature/covariance.h"
#include "assay/curvature/second_moments.h"
#include "assay/data/batches.h"
#include "assay/data/encode.h"
#include "assay/kernel/ceilings.h"
#include "assay/kernel/rotary.h"
#include "assay/nn/checkpoint.h"
#include "assay/nn/gradients.h"

namespace {

using namespace assay;
using Clock = std::chrono::steady_clock;

struct Workload {
  std::string name, model, data;
  int64_t documents, context;
  std::vector<int64_t> queries;
};

struct Loaded {
  nn::Model model;
  std::vector<data::Batch> batches;
  std::vector<nn::LayerId> layers;
  double positions = 0;
};

Loaded load(const Workload& workload) {
  Loaded loaded{.model = nn::load_checkpoint(workload.model).model, .batches = {}, .layers = {}};
  const data::Corpus corpus = data::read_corpus(workload.data, {.limit = workload.documents});
  const data::EncodedCorpus encoded =
      data::encode(corpus, data::load_tokenizer(workload.model), {.context = workload.context});
  for (const auto& rows : data::plan_batches(encoded.dataset)) {
    loaded.batches.push_back(data::make_batch(encoded.dataset, rows));
    loaded.positions += static_cast<double>(loaded.batches.back().mask.numel());
  }
  loaded.layers = loaded.model.architecture().match_layers("*");
  return loaded;
}

double seconds_of(const std::function<void()>& work) {
  const auto start = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// ---- bare: the same model with weight gradients ----

at::Tensor parameter(const nn::Model& model, const std::string& name) {
  for (size_t i = 0; i < model.parameters().size(); ++i) {
    if (model.parameters().name(i) == name) return model.parameters()[i];
  }
  throw Error(ErrorKind::Internal, "benchmarking: a Llama has a weight " + name);
}

at::Tensor plain_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  return x.mul(at::rsqrt(x.square().mean({-1}, true).add(epsilon))).mul(weight);
}

// A Llama as one would write it first: mean-free code, one operator a line, full logits.
at::Tensor plain_loss(const nn::Model& model, const data::Batch& batch) {
  const nn::Facts facts = model.architecture().facts();
  const double epsilon = 1e-5;
  const int64_t b = batch.size(), t = batch.positions(), k = facts.head_width;
  const kernel::RotaryTable table = kernel::rotary_table(0, t, k, 10000.0, at::kFloat);
  const auto heads = [&](const at::Tensor& x, int64_t count) { return x.view({b, t, count, k}); };
  const auto rotated = [&](const at::Tensor& x) { return kernel::rotate_heads(x, table).transpose(1, 2); };
  const auto grouped = [&](const at::Tensor& x) { return x.repeat_interleave(facts.heads / facts.key_value_heads, 1); };
  at::Tensor x = at::embedding(parameter(model, "model.embed_tokens.weight"), batch.tokens);
  for (int64_t l = 0; l < facts.blocks; ++l) {
    const auto weight = [&](const char* name) {
      return parameter(model, fmt::format("model.layers.{}.{}.weight", l, name));
    };
    const at::Tensor n = plain_norm(x, weight("input_layernorm"), epsilon);
    const at::Tensor q = rotated(heads(at::linear(n, weight("self_attn.q_proj")), facts.heads));
    const at::Tensor key = rotated(heads(at::linear(n, weight("self_attn.k_proj")), facts.key_value_heads));
    const at::Tensor v = heads(at::linear(n, weight("self_attn.v_proj")), facts.key_value_heads).transpose(1, 2);
    const at::Tensor z = at::scaled_dot_product_attention(q, grouped(key), grouped(v), {}, 0.0, true);
    x = x.add(at::linear(z.transpose(1, 2).reshape({b, t, facts.heads * k}), weight("self_attn.o_proj")));
    const at::Tensor m = plain_norm(x, weight("post_attention_layernorm"), epsilon);
    const at::Tensor gated = at::silu(at::linear(m, weight("mlp.gate_proj"))).mul(at::linear(m, weight("mlp.up_proj")));
    x = x.add(at::linear(gated, weight("mlp.down_proj")));
  }
  const at::Tensor head = parameter(model, facts.head_is_tied ? "model.embed_tokens.weight" : "lm_head.weight");
  const at::Tensor logits = at::linear(plain_norm(x, parameter(model, "model.norm.weight"), epsilon), head);
  return at::cross_entropy_loss(logits.flatten(0, 1), batch.targets.flatten(), {}, 2 /* sum */);
}

void with_weight_gradients(const Loaded& loaded, bool plain) {
  nn::Model model = loaded.model.with(loaded.model.parameters().clone());
  model.parameters().require_gradients(true);
  for (const data::Batch& batch : loaded.batches) {
    const at::Tensor loss =
        plain ? plain_loss(model, batch) : nn::loss().evaluate(model.run(batch).output, batch).sum();
    benchmark::DoNotOptimize(torch::autograd::grad({loss}, model.parameters().tensors()));
  }
}

// ---- counted multiply-adds, times two; per position ----

struct Counts {
  double weights = 0, covariances = 0, head = 0, attention = 0;

  explicit Counts(const Loaded& loaded) {
    const nn::Architecture& architecture = loaded.model.architecture();
    const nn::Facts facts = architecture.facts();
    std::set<std::string> inputs;
    for (nn::LayerId id : loaded.layers) {
      const nn::Layer& layer = architecture.layers()[static_cast<size_t>(id)];
      const auto& shape = architecture.parameters()[static_cast<size_t>(layer.weight)].shape;
      const auto rows = static_cast<double>(shape[0]), columns = static_cast<double>(shape[1]);
      weights += 2 * rows * columns;
      covariances += rows * rows;  // half of a symmetric product, times two
      if (inputs.insert(layer.input).second) covariances += columns * columns;
    }
    head = 2 * static_cast<double>(facts.vocabulary * facts.width);
    const double length = static_cast<double>(loaded.batches.back().positions());
    attention =
        2 * length * static_cast<double>(facts.blocks * facts.heads * facts.head_width);  // causal half of QK, PV
  }
  double bare() const { return 3 * weights + 3 * head + 3.5 * attention; }
  double down() const { return 2 * weights + 2 * head + 3.5 * attention; }  // no weight gradients
  double covariance() const { return down() + covariances; }
  double eigenvalues() const { return down() + 2 * covariances + weights; }  // rotate both sides, then D_i
  double scores(int64_t queries, double length) const {
    return down() + weights * (1 + static_cast<double>(queries) / length);
  }
};

// ---- stages ----

void covariances(const Loaded& loaded) {
  curvature::Covariances sums(loaded.model.architecture(), loaded.layers, at::kFloat);
  for (const data::Batch& batch : loaded.batches) {
    nn::stream_gradients(loaded.model, batch, nn::sampled_label_loss(1), loaded.layers,
                         [&](const nn::FactoredGradient& gradient) { sums.add(gradient); });
  }
}

/// In float64, as the fit does: A once for layers that share an input, S of every layer. Of positive matrices of the
/// right size, because the time does not depend on what is in them.
void eigendecompositions(const Loaded& loaded) {
  const nn::Architecture& architecture = loaded.model.architecture();
  std::set<std::string> seen;
  const auto decompose = [](int64_t size) {
    const at::Tensor half = at::randn({size, size}, at::kDouble);
    benchmark::DoNotOptimize(at::linalg_eigh(half.matmul(half.t())));
  };
  for (const nn::LayerId layer : loaded.layers) {
    const curvature::LayerShape shape = curvature::shape_of(architecture, layer);
    decompose(shape.rows);
    if (seen.insert(curvature::input_name(architecture, layer)).second) decompose(shape.columns);
  }
}

void eigenvalues(const Loaded& loaded) {
  std::map<nn::LayerId, curvature::FactoredBlock> bases;
  for (nn::LayerId id : loaded.layers) {
    const nn::Layer& layer = loaded.model.architecture().layers()[static_cast<size_t>(id)];
    const auto& shape = loaded.model.architecture().parameters()[static_cast<size_t>(layer.weight)].shape;
    bases[id].output_basis = at::eye(shape[0]);  // a rotation costs the same whatever it is
    bases[id].input_basis = at::eye(shape[1]);
  }
  curvature::SecondMoments sums(loaded.model.architecture(), bases, at::kFloat);
  for (const data::Batch& batch : loaded.batches) {
    sums.count(batch.size());
    nn::stream_gradients(loaded.model, batch, nn::sampled_label_loss(2), loaded.layers,
                         [&](const nn::FactoredGradient& gradient) { sums.add(gradient); });
  }
}

void scores(const Loaded& loaded, const std::map<nn::LayerId, at::Tensor>& directions) {
  for (const data::Batch& batch : loaded.batches) {
    at::Tensor total;
    nn::stream_gradients(loaded.model, batch, nn::loss(), loaded.layers, [&](const nn::FactoredGradient& gradient) {
      const at::Tensor part = gradient.dot(directions.at(gradient.layer));
      total = total.defined() ? total.add(part) : part;
    });
    benchmark::DoNotOptimize(total);
  }
}

std::map<nn::LayerId, at::Tensor> random_directions(const Loaded& loaded, int64_t queries) {
  std::map<nn::LayerId, at::Tensor> directions;
  for (nn::LayerId id : loaded.layers) {
    const nn::Layer& layer = loaded.model.architecture().layers()[static_cast<size_t>(id)];
    const auto& shape = loaded.model.architecture().parameters()[static_cast<size_t>(layer.weight)].shape;
    directions[id] = at::randn({queries, shape[0], shape[1]});
  }
  return directions;
}

/// The rows of one workload, printed as they come.
nlohmann::json report(const Workload& workload) {
  nlohmann::json rows = nlohmann::json::array();
  const Loaded loaded = load(workload);
  const Counts counts(loaded);
  const double length = static_cast<double>(loaded.batches.back().positions());
  fmt::print("\n{}: {} documents, {:.0f} positions with padding, {} batches\n", workload.name, workload.documents,
             loaded.positions, loaded.batches.size());
  fmt::print("{:<28}{:>10}{:>12}{:>10}{:>10}{:>10}\n", "stage", "seconds", "GFLOP/s", "x bare", "counted", "excess");
  // The two references take turns, so that neither has the warmer machine.
  double engine = 1e30, plain = 1e30;
  for (int turn = 0; turn < 2; ++turn) {
    engine = std::min(engine, seconds_of([&] { with_weight_gradients(loaded, false); }));
    plain = std::min(plain, seconds_of([&] { with_weight_gradients(loaded, true); }));
  }
  const double bare = std::min(engine, plain);
  const auto line = [&](const std::string& name, double seconds, double operations) {
    const double ratio = seconds / bare, counted = operations / counts.bare();
    fmt::print("{:<28}{:>10.2f}{:>12.0f}{:>10.2f}{:>10.2f}{:>10.2f}\n", name, seconds,
               operations * loaded.positions / seconds / 1e9, ratio, counted, ratio / counted);
    std::fflush(stdout);
    rows.push_back(
        {{"name", workload.name + "/" + name}, {"seconds", seconds}, {"ratio", ratio}, {"counted", counted}});
  };
  line("bare, engine", engine, counts.bare());
  line("bare, plain operators", plain, counts.bare());
  const auto best = [](const std::function<void()>& work) { return std::min(seconds_of(work), seconds_of(work)); };
  line("covariances", best([&] { covariances(loaded); }), counts.covariance());
  line("eigenvalues", best([&] { eigenvalues(loaded); }), counts.eigenvalues());
  for (int64_t queries : workload.queries) {
    const auto directions = random_directions(loaded, queries);
    line(fmt::format("scores, {} {}", queries, queries == 1 ? "query" : "queries"),
         best([&] { scores(loaded, directions); }), counts.scores(queries, length));
  }
  const double apart = seconds_of([&] { eigendecompositions(loaded); });
  fmt::print("{:<28}{:>10.2f}   (once for a corpus, whatever its length)\n", "eigendecompositions", apart);
  rows.push_back({{"name", workload.name + "/eigendecompositions"}, {"seconds", apart}});
  return rows;
}

std::string data_folder() {
  const char* root = std::getenv("ASSAY_DATA");
  return root != nullptr ? root : "../shared/data";
}

}  // namespace

int main(int count, char** arguments) {
  bool quick = false;
  std::string file;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    quick = quick || argument == "--quick";
    if (argument.starts_with("--benchmark_out=")) file = argument.substr(argument.find('=') + 1);
  }
  try {
    const Ceilings ceilings = kernel::measure_ceilings(2.0);
    fmt::print("ceilings: float32 {:.0f} GFLOP/s, bf16 {:.0f} GFLOP/s, memory {:.0f} GB/s\n",
               ceilings.flops_per_second_fp32 / 1e9, ceilings.flops_per_second_bf16 / 1e9,
               ceilings.bytes_per_second / 1e9);
    const std::string stories = data_folder() + "/text/tinystories_1000.txt";
    const std::vector<Workload> workloads{
        {"stories260K", data_folder() + "/models/stories260K", stories, quick ? 100 : 1000, 256, {1, 16, 256}},
        {"SmolLM2-135M", "build/models/smollm2", stories, quick ? 4 : 16, 256, {1, quick ? 4 : 16}}};
    nlohmann::json results = nlohmann::json::array();
    for (const Workload& workload : workloads) {
      if (std::filesystem::exists(workload.model) && std::filesystem::exists(workload.data)) {
        for (const nlohmann::json& row : report(workload)) results.push_back(row);
      } else {
        fmt::print("\n{}: skipped, {} or {} is absent\n", workload.name, workload.model, workload.data);
      }
    }
    if (!file.empty()) std::ofstream(file) << nlohmann::json{{"benchmarks", results}}.dump(1) << "\n";
    return 0;
  } catch (const Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return error.exit_code();
  }
}
