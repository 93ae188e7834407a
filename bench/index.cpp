// What an index costs: building it beside a bare training pass, and questions to it beside what the machine can read
// and multiply, all measured in this run.
//
//   build/bench/bench_index [--quick] [--bytes=4GB] [--benchmark_out=FILE]      run from the project's root
//
// Questions: a synthetic index of that many bytes of float32 rows (with --quick 512 MB), of the layout of stories260K
// at rank 16, opened once; the first scan also verifies and maps it. One question is bound by reading the rows, a
// thousand by the product. The same again for narrower types of the same number of rows.
//
// Building: the projected gradients of stories260K on 1,000 stories at 256 tokens, without and with the disk, beside a
// forward and backward pass of the engine with all weight gradients.
#include <ATen/ops/randn.h>
#include <benchmark/benchmark.h>
#include <fmt/core.h>
#include <torch/csrc/autograd/autograd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "assay/attribute/index_build.h"
#include "assay/attribute/index_scan.h"
#include "assay/attribute/projected_rows.h"
#include "assay/core/error.h"
#include "assay/core/plan.h"
#include "assay/data/batches.h"
#include "assay/data/encode.h"
#include "assay/io/tensor.h"
#include "assay/kernel/ceilings.h"
#include "assay/nn/checkpoint.h"
#include "assay/nn/gradients.h"

namespace {

using namespace assay;
using attribute::RowType;
using nlohmann::json;
using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr int64_t kLayers = 35, kSide = 16, kRowsOfBlock = 1024;

double seconds_of(const std::function<void()>& work) {
  const auto start = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double best_of(int runs, const std::function<void()>& work) {
  double best = 1e30;
  for (int run = 0; run < runs; ++run) best = std::min(best, seconds_of(work));
  return best;
}

class Bench {
 public:
  Bench() : ceilings_(kernel::measure_ceilings(2.0)) {
    fmt::print("ceilings: float32 {:.0f} GFLOP/s, bf16 {:.0f} GFLOP/s, memory {:.1f} GB/s\n",
               ceilings_.flops_per_second_fp32 / 1e9, ceilings_.flops_per_second_bf16 / 1e9,
               ceilings_.bytes_per_second / 1e9);
  }

  void line(const std::string& name, double seconds, const std::string& rate, double share) {
    fmt::print("{:<44}{:>10.3f} s  {:>16}  {:>5.0f} %\n", name, seconds, rate, 100 * share);
    std::fflush(stdout);
    rows_.push_back({{"name", name}, {"seconds", seconds}, {"share", share}});
  }

  void questions(RowType type, int64_t rows, const fs::path& folder) {
    const std::string path = (folder / attribute::to_string(type)).string();
    make_index(path, type, rows);
    {
      const attribute::GradientIndex index(path);
      const double bytes = static_cast<double>(index.rows() * index.about().columns()) *
                           static_cast<double>(attribute::bytes_of_number(type));
      const std::string name = attribute::to_string(type);
      const auto ask = [&](int64_t count) {
        attribute::ScanRequest request{.directions = at::randn({count, index.about().columns()}), .layers = {}};
        for (size_t layer = 0; layer < kLayers; ++layer) request.layers.push_back(layer);
        return [&index, request] {
          benchmark::DoNotOptimize(attribute::scan_index(index, request, silent_progress()).top.rows);
        };
      };
      const auto one = ask(1);
      const double first = seconds_of(one), again = best_of(5, one);
      const auto by_bytes = [&](const std::string& what, double seconds) {
        line(name + what, seconds, fmt::format("{:.1f} GB/s", bytes / seconds / 1e9),
             bytes / seconds / ceilings_.bytes_per_second);
      };
      by_bytes(fmt::format(", {:.1f} GB, first scan (verified)", bytes / 1e9), first);
      by_bytes(", 1 question", again);
      by_bytes(", 16 questions", best_of(3, ask(16)));
      const double thousand = best_of(1, ask(1000));
      const double flops = 2 * 1000 * static_cast<double>(index.rows() * index.about().columns());
      line(name + ", 1,000 questions", thousand, fmt::format("{:.0f} GFLOP/s", flops / thousand / 1e9),
           flops / thousand / ceilings_.flops_per_second_fp32);
    }
    fs::remove_all(path);
  }

  void building(const std::string& data_folder, int64_t documents, const fs::path& folder) {
    const std::string model_path = data_folder + "/models/stories260K",
                      text = data_folder + "/text/tinystories_1000.txt";
    if (!fs::exists(model_path) || !fs::exists(text)) {
      fmt::print("stories260K: skipped, {} or {} is absent\n", model_path, text);
      return;
    }
    nn::Model model = nn::load_checkpoint(model_path).model;
    const data::Corpus corpus = data::read_corpus(text, {.limit = documents});
    attribute::IndexedDocuments indexed;
    indexed.dataset = data::encode(corpus, data::load_tokenizer(model_path), {.context = 256}).dataset;
    const auto layers = model.architecture().match_layers("*");
    const auto bare = [&] {
      nn::Model trained = model.with(model.parameters().clone());
      trained.parameters().require_gradients(true);
      for (const auto& rows : data::plan_batches(indexed.dataset)) {
        const data::Batch batch = data::make_batch(indexed.dataset, rows);
        const at::Tensor loss = nn::loss().evaluate(trained.run(batch).output, batch).sum();
        benchmark::DoNotOptimize(torch::autograd::grad({loss}, trained.parameters().tensors()));
      }
    };
    const auto down = [&] {
      for (const auto& rows : data::plan_batches(indexed.dataset))
        nn::stream_gradients(model, data::make_batch(indexed.dataset, rows), nn::loss(), layers,
                             [](const nn::FactoredGradient&) {});
    };
    for (const int64_t rank : {16, 64}) {
      const auto project = [&] {
        curvature::Projection projection =
            curvature::random_projection(model.architecture(), layers, {rank, rank}, 0, at::kFloat);
        benchmark::DoNotOptimize(attribute::projected_rows(model, indexed.dataset, nn::loss(), projection, false,
                                                           int64_t{1} << 30, "document", 0, [](int64_t) {})
                                     .rows);
      };
      const std::string path = (folder / "built").string();
      const auto build = [&] {
        fs::remove_all(path);
        attribute::build_index(
            path,
            {.model = model, .documents = indexed, .layers = layers, .settings = {.rank_out = rank, .rank_in = rank}},
            silent_progress());
      };
      double of_bare = 1e30, of_down = 1e30, of_project = 1e30, of_build = 1e30;
      for (int turn = 0; turn < 3; ++turn) {  // in turns, so that none has the quieter machine
        of_bare = std::min(of_bare, seconds_of(bare));
        of_down = std::min(of_down, seconds_of(down));
        of_project = std::min(of_project, seconds_of(project));
        of_build = std::min(of_build, seconds_of(build));
      }
      const auto ratio = [&](const std::string& what, double seconds) {
        line(what, seconds, fmt::format("{:.2f} x bare", seconds / of_bare), seconds / of_bare);
      };
      ratio("stories260K, bare", of_bare);
      ratio("stories260K, without weight gradients", of_down);
      ratio(fmt::format("stories260K, projected at rank {}", rank), of_project);
      ratio(fmt::format("stories260K, index at rank {}", rank), of_build);
      fs::remove_all(path);
    }
  }

  json rows() const { return rows_; }

 private:
  /// Blocks of random rows, each its own file; the numbers of one block serve all.
  static void make_index(const std::string& path, RowType type, int64_t rows) {
    attribute::IndexAbout about{.precision = "fp32", .context = 2, .long_texts = "cut", .layers = {}};
    about.settings = {.rank_out = kSide, .rank_in = kSide, .rows = type};
    for (int64_t layer = 0; layer < kLayers; ++layer)
      about.layers.push_back({.name = fmt::format("layer.{}", layer),
                              .full = {64, 64},
                              .shape = {kSide, kSide},
                              .offset = layer * kSide * kSide});
    io::Store store = io::Store::create_or_resume(path, attribute::index_kind(), about.to_json());
    const int64_t blocks = (rows + kRowsOfBlock - 1) / kRowsOfBlock;
    const attribute::StoredRows stored =
        attribute::encode_rows(at::randn({kRowsOfBlock, about.columns()}), type, about.layout());
    io::Arrays arrays{{"rows", io::from_tensor(stored.numbers)}};
    if (stored.scales.defined()) arrays["scales"] = io::from_tensor(stored.scales);
    store.write(attribute::documents_block(0), {{"ids", io::make_array<uint64_t>({0}, {})}});
    for (int64_t block = 0; block < blocks; ++block) store.write(attribute::rows_block(0, block), arrays);
    store.finish();
  }

  Ceilings ceilings_;
  json rows_ = json::array();
};

}  // namespace

int main(int count, char** arguments) {
  std::string file;
  bool quick = false;
  int64_t bytes = int64_t{4} << 30;
  try {
    for (int i = 1; i < count; ++i) {
      const std::string argument = arguments[i];
      const std::string value = argument.substr(argument.find('=') + 1);
      if (argument == "--quick") quick = true, bytes = int64_t{512} << 20;
      if (argument.starts_with("--bytes=")) bytes = parse_bytes(value, "--bytes");
      if (argument.starts_with("--benchmark_out=")) file = value;
    }
    const char* root = std::getenv("ASSAY_DATA");
    const fs::path folder =
        fs::temp_directory_path() / fmt::format("assay-bench-index-{}", Clock::now().time_since_epoch().count());
    fs::create_directories(folder);
    Bench bench;
    fmt::print("\n{:<44}{:>12}  {:>16}  {:>7}\n", "", "took", "", "of ceiling");
    const int64_t rows = bytes / (4 * kLayers * kSide * kSide);
    for (const RowType type : {RowType::Float32, RowType::BFloat16, RowType::Float16, RowType::Int8})
      bench.questions(type, rows, folder);
    bench.building(root != nullptr ? root : "../shared/data", quick ? 100 : 1000, folder);
    fs::remove_all(folder);
    if (!file.empty()) std::ofstream(file) << json{{"benchmarks", bench.rows()}}.dump(1) << "\n";
    return EXIT_SUCCESS;
  } catch (const Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return error.exit_code();
  }
}
