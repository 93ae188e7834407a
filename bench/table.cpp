// One table of what every stage of an attribution costs: seconds, tokens a second, the ratio to a bare training pass
// and to the counted operations at this machine's ceilings, peak memory and disk, for three workloads in every type;
// how near the fast variants come to exact float32; and other tools at the same work in turns.
//
//   build/bench/bench_table [--quick] [--only=S,M,L] [--peers=DIR] [--peers-only] [--turns=N] [--out=FILE]
//
// Run from the project's root. Every group of stages runs in a process of its own (--measure, bench/table/stages.h), so
// that its peak memory is its own. --quick: less data and fewer runs.
#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "assay/core/error.h"
#include "assay/core/machine.h"
#include "bench/table/agreement.h"
#include "bench/table/child.h"
#include "bench/table/peers.h"
#include "bench/table/results.h"
#include "bench/table/stages.h"
#include "bench/table/view.h"

namespace assay::bench {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int64_t kLeastCompared = 20;

struct Options {
  bool is_quick = false, peers_only = false;
  std::string only = "S,M,L", peers, out, measure, workload = "S", dtype = "fp32", folder;
  int turns = 0, runs = 1;
};

Options parse(int count, char** arguments) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i], name = argument.substr(0, argument.find('='));
    std::string value = argument.size() > name.size() ? argument.substr(name.size() + 1) : "";
    const bool is_switch = name == "--quick" || name == "--peers-only";
    if (!is_switch && value.empty() && i + 1 < count) value = arguments[++i];
    if (name == "--quick")
      options.is_quick = true;
    else if (name == "--peers-only")
      options.peers_only = true;
    else if (name == "--only")
      options.only = value;
    else if (name == "--peers")
      options.peers = value;
    else if (name == "--turns")
      options.turns = std::stoi(value);
    else if (name == "--out")
      options.out = value;
    else if (name == "--measure")
      options.measure = value;
    else if (name == "--workload")
      options.workload = value;
    else if (name == "--dtype")
      options.dtype = value;
    else if (name == "--folder")
      options.folder = value;
    else if (name == "--runs")
      options.runs = std::stoi(value);
    else
      throw Error(ErrorKind::Usage,
                  fmt::format("reading the options: there is no {}; the table takes --quick, --only, --peers, "
                              "--peers-only, --turns and --out",
                              name));
  }
  if (options.turns == 0) options.turns = options.is_quick ? 1 : 2;
  return options;
}

class Table {
 public:
  Table(const Options& options, fs::path program, const std::string& data)
      : options_(options),
        program_(std::move(program)),
        build_(program_.parent_path().parent_path().string()),
        folder_(program_.parent_path() / "scratch") {
    for (Workload& workload : workloads(data, build_, options.is_quick)) {
      if (fs::exists(workload.model + "/tokenizer.json")) tokenizer_ = workload.model;
      if (options.only.find(workload.name) != std::string::npos) workloads_.push_back(std::move(workload));
    }
    fs::remove_all(folder_);  // of a run that was killed
    fs::create_directories(folder_);
  }
  ~Table() { fs::remove_all(folder_); }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  void run() {
    const Processor machine = processor();
    results_.machine = machine.model + (machine.has_amx_bf16      ? " (AMX)"
                                        : machine.has_avx512_bf16 ? " (AVX-512 BF16)"
                                        : machine.has_avx512      ? " (AVX-512)"
                                                                  : "");
    results_.threads = granted_cores();
    results_.is_quick = options_.is_quick;
    results_.ceilings = ceilings();
    show(title_view(results_));
    drop_missing();
    if (!options_.peers_only) {
      for (const Workload& workload : workloads_) {
        for (const char* dtype : kDtypes) measure_stages(workload, dtype);
        compare_scores(workload);
        show(workload_view(results_, workload));
        clear();
      }
      if (const json lds = ask({}, "fp32", "lds", 1); lds.contains("lds")) results_.lds = lds.at("lds");
      ask_store();
    }
    if (!options_.peers.empty()) meet_peers();
    show(closing_view(results_));
    const std::string file = options_.out.empty() ? build_ + "/bench/table.json" : options_.out;
    std::ofstream(file) << to_json(results_).dump(1) << "\n";
    show(fmt::format("\nAll of it: {}\n", fs::relative(file).string()));
  }

 private:
  static void show(const std::string& text) {
    fmt::print("{}", text);
    std::fflush(stdout);
  }

  json ask(const Workload& workload, const std::string& dtype, const std::string& what, int runs) const {
    std::vector<std::string> command{program_.string(), "--measure=" + what, "--dtype=" + dtype,
                                     "--folder=" + folder_.string(), fmt::format("--runs={}", runs)};
    if (!workload.name.empty()) command.push_back("--workload=" + workload.name);
    if (options_.is_quick) command.push_back("--quick");
    return json::parse(output_of(command, true));
  }

  Ceilings ceilings() const {
    const json best = ask({}, "fp32", "ceilings", 1).at("ceilings");
    return {.flops_per_second_fp32 = best.at("flops_per_second_fp32"),
            .flops_per_second_bf16 = best.at("flops_per_second_bf16"),
            .bytes_per_second = best.at("bytes_per_second")};
  }

  /// Rows of a task, told to a reader who waits. Empty where it fails: the others go on.
  std::vector<Row> rows_of(const Workload& workload, const std::string& dtype, const std::string& what, int runs) {
    json answer;
    try {
      answer = ask(workload, dtype, what, runs);
    } catch (const Error& error) {
      results_.left_out.push_back(fmt::format("{} {} {}: {}", workload.name, dtype, what, error.what()));
      return {};
    }
    std::vector<Row> rows;
    for (const json& each : answer.at("rows")) {
      rows.push_back(row_from(each));
      fmt::print(stderr, "  {} {} {}: {:.2f} s\n", workload.name, dtype, rows.back().stage, rows.back().best());
    }
    return rows;
  }

  void take(const std::vector<Row>& rows) {
    for (const Row& row : rows) {
      const auto found = std::ranges::find_if(results_.rows, [&](const Row& other) {
        return other.workload == row.workload && other.dtype == row.dtype && other.stage == row.stage;
      });
      if (found == results_.rows.end()) {
        results_.rows.push_back(row);
        continue;
      }
      if (row.best() < found->best()) {
        found->cpu_seconds = row.cpu_seconds;
        found->other_load = row.other_load;
      }
      found->seconds.insert(found->seconds.end(), row.seconds.begin(), row.seconds.end());
      found->ceilings.insert(found->ceilings.end(), row.ceilings.begin(), row.ceilings.end());
      found->peak_bytes = std::max(found->peak_bytes, row.peak_bytes);
    }
  }

  void drop_missing() {
    std::erase_if(workloads_, [&](const Workload& workload) {
      if (workload.name == "M") make_random_model(workload.model);
      const std::string reason = workload.missing();
      if (!reason.empty())
        results_.left_out.push_back(fmt::format("{} ({}): {}", workload.name, workload.title, reason));
      return !reason.empty();
    });
  }

  /// Bare before and after the others: a machine changes from minute to minute.
  void measure_stages(const Workload& workload, const std::string& dtype) {
    const auto measured = [&](const std::string& what, int runs) { take(rows_of(workload, dtype, what, runs)); };
    const bool has_turns = workload.runs > 1;
    measured("bare", has_turns ? workload.runs - 1 : 1);
    measured("fit", workload.runs);
    for (const Questions& questions : workload.questions) {
      const bool is_plain = questions.method == "ekfac";
      measured(fmt::format("scores:{}{}", questions.count, is_plain ? "" : ":" + questions.method),
               questions.count > 16 ? 1 : workload.runs);
    }
    measured("self", workload.runs);
    sum_up(workload, dtype);
    for (const int64_t rank : kIndexRanks) measured(fmt::format("index:{}", rank), workload.runs);
    if (has_turns) measured("bare", 1);
  }

  /// The sum of the stages of one question of the peers' kind.
  void sum_up(const Workload& workload, const std::string& dtype) {
    const int64_t count = workload.compared_queries;
    Row whole{
        .workload = workload.name, .dtype = dtype, .stage = fmt::format("EK-FAC with {} queries, all of it", count)};
    double seconds = 0;
    for (const std::string& stage : {std::string("covariances"), std::string("eigendecompositions"),
                                     std::string("eigenvalues"), fmt::format("scores, {} queries", count)}) {
      const Row* row = results_.find(workload.name, dtype, stage);
      if (row == nullptr) return;
      seconds += row->best();
      whole.counted += row->counted;
      whole.cpu_seconds += row->cpu_seconds;
      whole.tokens = std::max(whole.tokens, row->tokens);
      whole.peak_bytes = std::max(whole.peak_bytes, row->peak_bytes);
      whole.disk_bytes = std::max(whole.disk_bytes, row->disk_bytes);
      whole.other_load = std::max(whole.other_load, row->other_load);
    }
    whole.seconds = {seconds};
    results_.rows.push_back(whole);
  }

  /// Variants that are measured for their order alone, then all beside exact float32.
  void compare_scores(const Workload& workload) {
    // Of random weights and tokens the order means nothing, and of a handful of documents any order agrees.
    if (workload.text.empty() || workload.documents < kLeastCompared) return;
    const int64_t count = workload.compared_queries;
    const auto file = [&](const std::string& dtype, const std::string& what) {
      return read_scores(scores_file(folder_.string(), workload.name, dtype, what), count);
    };
    const auto exact = file("fp32", fmt::format("scores:{}", count));
    if (exact.empty()) return;
    const auto compare = [&](const std::string& variant, const std::vector<std::vector<double>>& scores) {
      if (scores.empty()) return;
      Agreement found = agreement(exact, scores);
      found.workload = workload.name;
      found.variant = variant;
      results_.agreements.push_back(found);
    };
    compare("EK-FAC, bf16", file("bf16", fmt::format("scores:{}", count)));
    for (const int64_t rank : kIndexRanks) {
      for (const char* dtype : kDtypes) {
        const auto scores = file(dtype, fmt::format("index:{}", rank));
        const std::string name = fmt::format("index, rank {}{}", rank, std::string(dtype) == "fp32" ? "" : ", bf16");
        compare(name, scores);
        if (!scores.empty() && exact[0].size() > 100)
          compare(name + ", best 100 rescored", rescored(exact, scores, 100));
      }
    }
    const auto variant = [&](const std::string& name, const std::string& what) {
      if (!rows_of(workload, "fp32", what, 1).empty()) compare(name, file("fp32", what));
    };
    if (options_.is_quick && workload.name != "S") return;
    variant("queries compressed to rank 16", fmt::format("scores:{}:ekfac(rank=16)", count));
    variant("K-FAC", fmt::format("scores:{}:kfac", count));
    if (workload.name == "S") variant("EK-FAC on another draw of labels", fmt::format("scores:{}:ekfac:1", count));
  }

  /// Questions to a synthetic index are a program of their own, where it is built.
  void ask_store() {
    const fs::path program = program_.parent_path() / "bench_index";
    if (!fs::exists(program)) {
      results_.left_out.push_back("questions to a store: bench_index is not built");
      return;
    }
    const std::string file = build_ + "/bench/index.json";
    std::vector<std::string> command{program.string(), "--questions", "--benchmark_out=" + file};
    if (options_.is_quick) command.push_back("--quick");
    output_of(command, true);
    const json answer = json::parse(std::ifstream(file));
    for (const json& each : answer.at("benchmarks")) {
      const std::string name = each.at("name");
      if (!name.starts_with("fp32, ")) continue;
      const std::string stage = name.substr(6);
      results_.store.push_back({.stage = stage, .seconds = {each.at("seconds").get<double>()}});
      results_.shares[stage] = each.at("share");
    }
  }

  void meet_peers() {
    const PeerSetting setting{.folder = fs::absolute(options_.peers).string(),
                              .build = build_,
                              .tokenizer = tokenizer_,
                              .turns = options_.turns,
                              .threads = results_.threads,
                              .is_quick = options_.is_quick};
    results_.duels = against_peers(
        setting, workloads_,
        [&](const Workload& workload, const std::string& dtype, const std::string& what) {
          return rows_of(workload, dtype, what, 1);
        },
        [this] { return ceilings(); }, results_.left_out);
  }

  void clear() const {
    for (const auto& entry : fs::directory_iterator(folder_)) fs::remove_all(entry.path());
  }

  const Options& options_;
  fs::path program_;
  std::string build_;
  std::string tokenizer_;  // a folder that has one
  fs::path folder_;
  std::vector<Workload> workloads_;
  Results results_;
};

int main_of(int count, char** arguments) {
  const Options options = parse(count, arguments);
  const char* root = std::getenv("ASSAY_DATA");
  const std::string data = root != nullptr ? root : "../shared/data";
  const fs::path program = fs::canonical("/proc/self/exe");
  keep_freed_memory();
  if (options.measure.empty()) {
    Table(options, program, data).run();
    return EXIT_SUCCESS;
  }
  Workload chosen;
  for (const Workload& workload : workloads(data, program.parent_path().parent_path().string(), options.is_quick)) {
    if (workload.name == options.workload) chosen = workload;
  }
  const json answer = measure(chosen, {.what = options.measure,
                                       .dtype = options.dtype,
                                       .folder = options.folder,
                                       .runs = options.runs,
                                       .is_quick = options.is_quick});
  fmt::print("{}\n", answer.dump());
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace assay::bench

int main(int count, char** arguments) {
  try {
    return assay::bench::main_of(count, arguments);
  } catch (const assay::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return error.exit_code();
  } catch (const std::exception& error) {
    fmt::print(stderr, "benchmarking: {}\n", error.what());
    return EXIT_FAILURE;
  }
}
