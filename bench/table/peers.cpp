#include "bench/table/peers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include "assay/core/error.h"
#include "bench/table/child.h"

namespace assay::bench {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct Stage {
  const char *ours, *theirs;
};

struct Contest {
  const char *workload, *peer, *setting, *script, *environment, *dtype;
  bool is_index;
  std::vector<std::string> arguments;
};

const std::vector<Stage> kFactorStages{{"covariances", "covariance"},
                                       {"eigendecompositions", "eigendecomposition"},
                                       {"eigenvalues", "lambda"},
                                       {"scores", "scores"}};
const std::vector<Stage> kIndexStages{{"index, rank 16", "build_index"}};

// Ours in the type of their setting; on S, where bf16 makes them slower, ours in both.
const std::vector<Contest>& contests() {
  static const std::vector<Contest> all{
      {"S", "kronfluence", "fp32", "kron.py", "v_kron", "fp32", false, {}},
      {"S", "kronfluence", "fp32", "kron.py", "v_kron", "bf16", false, {}},
      {"S", "bergson index", "fp32", "berg.py", "v_bergson", "fp32", true, {"--method", "index"}},
      {"S", "bergson index", "fp32", "berg.py", "v_bergson", "bf16", true, {"--method", "index"}},
      {"M", "kronfluence", "fp32", "kron.py", "v_kron", "fp32", false, {}},
      {"M", "kronfluence", "bf16 (smart)", "kron.py", "v_kron", "bf16", false, {"--precision", "smart"}},
      {"M", "bergson index", "fp32", "berg.py", "v_bergson", "fp32", true, {"--method", "index"}},
      {"M",
       "bergson index",
       "bf16",
       "berg.py",
       "v_bergson",
       "bf16",
       true,
       {"--method", "index", "--precision", "bf16"}}};
  return all;
}

std::string interpreter(const PeerSetting& setting, const std::string& environment) {
  for (const std::string& place : {setting.folder, setting.build + "/peers"}) {
    const std::string path = place + "/" + environment + "/bin/python";
    if (fs::exists(path)) return path;
  }
  return {};
}

/// One run of a script: the stages that it reports.
json their_turn(const PeerSetting& setting, const Contest& contest, const Workload& workload,
                const std::string& tokenizer) {
  const std::string work = setting.build + "/peers/work", out = setting.build + "/peers/turn.jsonl";
  fs::create_directories(work);
  fs::remove(out);
  std::vector<std::string> command{interpreter(setting, contest.environment),
                                   setting.folder + "/" + contest.script,
                                   "--workload",
                                   contest.workload,
                                   "--model",
                                   workload.model,
                                   "--work",
                                   work,
                                   "--out",
                                   out,
                                   "--repeat",
                                   "1",
                                   "--bare",
                                   "no",
                                   "--threads",
                                   std::to_string(setting.threads),
                                   "--train",
                                   std::to_string(contest.is_index ? workload.indexed : workload.documents)};
  const auto add = [&](const std::string& name, const std::string& value) {
    command.insert(command.end(), {name, value});
  };
  if (!workload.text.empty()) add("--text", workload.text);
  if (workload.text.empty() && contest.is_index) add("--tokenizer", tokenizer);
  command.insert(command.end(), contest.arguments.begin(), contest.arguments.end());
  output_of(command, false);
  std::ifstream file(out);
  std::string line;
  if (!std::getline(file, line))
    throw Error(ErrorKind::Resource, fmt::format("benchmarking: {} wrote no result", contest.script));
  fs::remove_all(work);
  return json::parse(line).at("stages");
}

void add_turn(Duel& duel, const std::vector<Stage>& stages, const std::vector<Row>& ours, const json& theirs) {
  double our_sum = 0, their_sum = 0;
  if (duel.stages.empty()) {
    for (const Stage& stage : stages) duel.stages.push_back({.stage = stage.ours});
    if (stages.size() > 1) duel.stages.push_back({.stage = "all of it"});
  }
  Turns& whole = duel.stages.back();
  for (size_t i = 0; i < stages.size(); ++i) {
    Turns& turns = duel.stages[i];
    const auto row = std::ranges::find(ours, stages[i].ours, &Row::stage);
    ASSAY_ASSERT(row != ours.end());
    const json& there = theirs.at(stages[i].theirs);
    turns.ours.push_back(row->best());
    turns.theirs.push_back(there.at("all_s").at(0));
    turns.our_peak = std::max(turns.our_peak, row->peak_bytes);
    turns.their_peak =
        std::max(turns.their_peak, static_cast<int64_t>(there.at("peak_rss_mb").get<double>() * 1048576));
    turns.other_load = std::max({turns.other_load, row->other_load, there.at("other_load").at(0).get<double>()});
    our_sum += turns.ours.back();
    their_sum += turns.theirs.back();
    whole.our_peak = std::max(whole.our_peak, turns.our_peak);
    whole.their_peak = std::max(whole.their_peak, turns.their_peak);
    whole.other_load = std::max(whole.other_load, turns.other_load);
  }
  if (stages.size() == 1) return;
  whole.ours.push_back(our_sum);
  whole.theirs.push_back(their_sum);
}

}  // namespace

std::vector<Duel> against_peers(const PeerSetting& setting, const std::vector<Workload>& workloads,
                                const OurTurn& our_turn, const MeasureCeilings& measure_ceilings,
                                std::vector<std::string>& left_out) {
  std::vector<Duel> duels;
  for (const Contest& contest : contests()) {
    const auto workload = std::ranges::find(workloads, contest.workload, &Workload::name);
    if (workload == workloads.end()) continue;
    const std::string name = fmt::format("{} beside {}, {}", contest.workload, contest.peer, contest.setting);
    if (!fs::exists(setting.folder + "/" + contest.script) || interpreter(setting, contest.environment).empty()) {
      left_out.push_back(fmt::format("{}: {} or its environment {} is not set up in {} (see its README)", name,
                                     contest.script, contest.environment, setting.folder));
      continue;
    }
    Duel duel{.workload = contest.workload,
              .peer = contest.peer,
              .setting = contest.setting,
              .our_dtype = contest.dtype,
              .stages = {},
              .ceilings = {},
              .counted = {}};
    try {
      const std::string what = contest.is_index ? "index:16" : fmt::format("whole:{}", workload->compared_queries);
      for (int turn = 0; turn < setting.turns; ++turn) {
        const std::vector<Row> ours = our_turn(*workload, duel.our_dtype, what);
        if (ours.empty()) break;
        duel.ceilings.push_back(measure_ceilings());
        duel.counted = {};
        for (const Row& row : ours) duel.counted += row.counted;
        add_turn(duel, contest.is_index ? kIndexStages : kFactorStages, ours,
                 their_turn(setting, contest, *workload, setting.tokenizer));
      }
      if (!duel.stages.empty()) duels.push_back(std::move(duel));
    } catch (const Error& error) {
      left_out.push_back(fmt::format("{}: {}", name, error.what()));
    }
  }
  return duels;
}

}  // namespace assay::bench
