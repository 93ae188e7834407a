// The kernels one by one: what each does a second.
//
//   dequantise   bytes read and written, and weights, from every quantised type into float32 and bf16
//   product/...  operations a second of float32 products, of bf16 ones by every path that this machine can take
//   NAME/ROWSxWIDTH   numbers a second, forward and backward to the input, of ours and of ATen's, in turns
//   gram, squares, attention   operations a second, at the shapes of stories260K and their like
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "assay/io/gguf_quantization.h"
#include "assay/kernel/attention.h"
#include "assay/kernel/bf16_product.h"
#include "assay/kernel/gelu.h"
#include "assay/kernel/layer_norm.h"
#include "assay/kernel/norm.h"
#include "assay/kernel/product_sums.h"

namespace {

using namespace assay;

constexpr size_t kWeights = size_t{16} << 20;

template <class Number>
void dequantise(benchmark::State& state, io::GgmlType type) {
  const io::GgmlTypeFacts facts = *io::facts_of(static_cast<uint32_t>(type));
  const std::vector<std::byte> bytes(kWeights / static_cast<size_t>(facts.block_elements) *
                                     static_cast<size_t>(facts.block_bytes));
  std::vector<Number> weights(kWeights);
  for (auto _ : state) io::dequantise(type, bytes, std::span(weights));
  const auto runs = static_cast<int64_t>(state.iterations());
  state.SetItemsProcessed(runs * static_cast<int64_t>(kWeights));
  state.SetBytesProcessed(runs * static_cast<int64_t>(bytes.size() + kWeights * sizeof(Number)));
}

void register_dequantisation() {
  for (uint32_t number = 0; number < 64; ++number) {
    const auto facts = io::facts_of(number);
    if (!facts || !io::can_dequantise(facts->type)) continue;
    const std::string name = std::string("dequantise/") + facts->name;
    const auto add = [&](const std::string& type, auto run) {
      benchmark::RegisterBenchmark((name + type).c_str(), run, facts->type)
          ->Unit(benchmark::kMillisecond)
          ->UseRealTime();
    };
    add("/float32", dequantise<float>);
    add("/bf16", dequantise<uint16_t>);
  }
}

using Function = std::function<at::Tensor(const at::Tensor&)>;

void register_function(const std::string& name, int64_t rows, int64_t width, const Function& function) {
  const auto run = [=](benchmark::State& state) {
    const at::Tensor x = at::randn({rows, width}).requires_grad_(true), gradient = at::randn({rows, width});
    for (auto _ : state) benchmark::DoNotOptimize(torch::autograd::grad({function(x)}, {x}, {gradient}));
    state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * rows * width);
  };
  benchmark::RegisterBenchmark(fmt::format("{}/{}x{}", name, rows, width).c_str(), run)
      ->Unit(benchmark::kMicrosecond)
      ->UseRealTime();
}

void register_functions() {
  for (const auto& [rows, width] : std::vector<std::pair<int64_t, int64_t>>{{2048, 64}, {64, 256}, {512, 2048}}) {
    const at::Tensor weight = at::ones({width}), bias = at::zeros({width});
    const auto add = [&, r = rows, w = width](const std::string& name, const Function& function) {
      register_function(name, r, w, function);
    };
    add("layer_norm", [=](const at::Tensor& x) { return kernel::layer_norm(x, weight, bias, 1e-5); });
    add("layer_norm_plain", [=](const at::Tensor& x) { return kernel::layer_norm_plain(x, weight, bias, 1e-5); });
    add("rms_norm", [=](const at::Tensor& x) { return kernel::rms_norm(x, weight, 1e-5); });
    add("rms_norm_plain", [=](const at::Tensor& x) { return kernel::rms_norm_plain(x, weight, 1e-5); });
    add("gelu", kernel::gelu);
    add("gelu_plain", kernel::gelu_plain);
    add("gelu_tanh", kernel::gelu_tanh);
    add("gelu_tanh_plain", kernel::gelu_tanh_plain);
  }
}

struct ProductShape {
  int64_t rows, depth, columns;
};

/// A·Bᵀ, as a layer is applied.
void register_products() {
  const auto add = [](const std::string& name, const ProductShape& s, at::ScalarType type, const auto& product) {
    const auto run = [=](benchmark::State& state) {
      const at::Tensor a = at::randn({s.rows, s.depth}).to(type), b = at::randn({s.columns, s.depth}).to(type);
      for (auto _ : state) benchmark::DoNotOptimize(product(a, b.t()));
      state.counters["FLOP/s"] = benchmark::Counter(static_cast<double>(2 * s.rows * s.depth * s.columns),
                                                    benchmark::Counter::kIsIterationInvariantRate);
    };
    benchmark::RegisterBenchmark(fmt::format("product/{}/{}x{}x{}", name, s.rows, s.depth, s.columns).c_str(), run)
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  };
  for (const ProductShape& shape :
       {ProductShape{2048, 2048, 2048}, ProductShape{4096, 576, 1536}, ProductShape{172, 4096, 172},
        ProductShape{2048, 64, 32}, ProductShape{2048, 64, 64}, ProductShape{2048, 64, 172},
        ProductShape{2048, 172, 64}}) {
    add("float32", shape, at::kFloat, [](const at::Tensor& a, const at::Tensor& b) { return a.mm(b); });
    add("bf16, result rounded", shape, at::kBFloat16, [](const at::Tensor& a, const at::Tensor& b) { return a.mm(b); });
    for (const auto path : {kernel::Bf16Path::Amx, kernel::Bf16Path::Tiles, kernel::Bf16Path::Plain}) {
      if (!kernel::can_take(path)) continue;
      add(std::string("bf16 by ") + kernel::to_string(path), shape, at::kBFloat16,
          [path](const at::Tensor& a, const at::Tensor& b) { return kernel::bf16_product(a, b, path); });
    }
  }
}

using Work = std::function<void()>;

void register_work(const std::string& name, double operations, const Work& work) {
  const auto run = [=](benchmark::State& state) {
    for (auto _ : state) work();
    state.counters["FLOP/s"] = benchmark::Counter(operations, benchmark::Counter::kIsIterationInvariantRate);
  };
  benchmark::RegisterBenchmark(name.c_str(), run)->Unit(benchmark::kMicrosecond)->UseRealTime();
}

/// Sums of products over positions, counted in full though half of a Gram matrix is enough.
void register_product_sums() {
  for (const auto& [rows, width] : std::vector<std::pair<int64_t, int64_t>>{{4096, 32}, {4096, 64}, {4096, 172}}) {
    const at::Tensor a = at::randn({rows, width}), sum = at::zeros({width, width});
    register_work(fmt::format("gram/{}x{}", rows, width), static_cast<double>(2 * rows * width * width),
                  [=] { kernel::add_gram(sum, a); });
  }
  for (const auto& [rows, columns] :
       std::vector<std::pair<int64_t, int64_t>>{{32, 64}, {64, 64}, {172, 64}, {64, 172}}) {
    const at::Tensor g = at::randn({16, 256, rows}), a = at::randn({16, 256, columns});
    const at::Tensor sum = at::zeros({rows, columns});
    register_work(fmt::format("squares/16x256x{}x{}", rows, columns),
                  static_cast<double>(2 * 16 * 256 * rows * columns), [=] { kernel::add_squared_products(sum, g, a); });
  }
}

void register_attention() {
  constexpr int64_t kBatch = 8, kHeads = 8, kKeyHeads = 4, kPositions = 256;
  for (const int64_t width : {8, 16}) {
    const auto heads = [&](int64_t count) { return at::randn({kBatch, kPositions, count, width}).transpose(1, 2); };
    const at::Tensor q = heads(kHeads), k = heads(kKeyHeads), v = heads(kKeyHeads), slope = heads(kHeads);
    const auto pairs = static_cast<double>(kBatch * kHeads * kPositions * (kPositions + 1) / 2);
    register_work(fmt::format("attention/forward/{}", width), pairs * static_cast<double>(4 * width),
                  [=] { benchmark::DoNotOptimize(kernel::causal_attention(q, k, v)); });
    const at::Tensor tracked_q = q.detach().requires_grad_(true), tracked_k = k.detach().requires_grad_(true),
                     tracked_v = v.detach().requires_grad_(true);
    register_work(fmt::format("attention/both/{}", width), pairs * static_cast<double>(14 * width), [=] {
      benchmark::DoNotOptimize(torch::autograd::grad({kernel::causal_attention(tracked_q, tracked_k, tracked_v)},
                                                     {tracked_q, tracked_k, tracked_v}, {slope}));
    });
  }
}

}  // namespace

int main(int count, char** arguments) {
  register_dequantisation();
  register_functions();
  register_products();
  register_product_sums();
  register_attention();
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
