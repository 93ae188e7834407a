// The kernels one by one: what each does a second.
//
//   dequantise   bytes read and written, and weights, from every quantised type into float32 and bf16
#include <benchmark/benchmark.h>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "assay/io/gguf_quantization.h"

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

}  // namespace

int main(int count, char** arguments) {
  register_dequantisation();
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
