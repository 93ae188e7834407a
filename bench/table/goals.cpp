#include "bench/table/goals.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace assay::bench {
namespace {

std::optional<double> share_of_ceiling(const Results& results, const std::string& workload) {
  const Row* row = results.find(workload, "fp32", "bare, the engine's pass");
  return row == nullptr ? std::nullopt : row->share_of_ceiling();
}

std::optional<double> ratio_to_bare(const Results& results, const std::string& workload, const std::string& stage) {
  const Row* row = results.find(workload, "fp32", stage);
  return row == nullptr ? std::nullopt : results.ratio_to_bare(*row);
}

std::optional<double> times_as_fast(const Results& results, const std::string& workload, const std::string& stage) {
  const Row* slow = results.find(workload, "fp32", stage);
  const Row* fast = results.find(workload, "bf16", stage);
  if (slow == nullptr || fast == nullptr) return std::nullopt;
  return slow->best() / fast->best();
}

/// Of the turns of one comparison the fastest of each side.
struct Fastest {
  double ours = 1e30, theirs = 1e30;
  Fastest(const Duel& duel, bool with_eigendecompositions) {
    for (size_t turn = 0; turn < duel.stages.front().ours.size(); ++turn) {
      const auto total = [&](std::vector<double> Turns::*side) {
        double sum = (duel.stages.back().*side).at(turn);
        for (const Turns& stage : duel.stages) {
          if (!with_eigendecompositions && stage.stage == "eigendecompositions") sum -= (stage.*side).at(turn);
        }
        return sum;
      };
      ours = std::min(ours, total(&Turns::ours));
      theirs = std::min(theirs, total(&Turns::theirs));
    }
  }
};

/// How many times as fast we are, in our better type, as the peer in the fastest of its settings. Only what ran in
/// turns is compared: from one comparison to the next the machine may be another.
std::optional<double> against(const Results& results, const std::string& workload, const std::string& peer,
                              bool with_eigendecompositions = true) {
  std::map<std::string, double> theirs, times;  // by setting
  for (const Duel& duel : results.duels) {
    if (duel.workload != workload || duel.peer != peer) continue;
    const Fastest fastest(duel, with_eigendecompositions);
    double& least = theirs.try_emplace(duel.setting, fastest.theirs).first->second;
    least = std::min(least, fastest.theirs);
    times[duel.setting] = std::max(times[duel.setting], fastest.theirs / fastest.ours);
  }
  if (theirs.empty()) return std::nullopt;
  return times.at(std::ranges::min_element(theirs, {}, &std::pair<const std::string, double>::second)->first);
}

/// The largest of the comparisons.
std::optional<double> share_of_their_memory(const Results& results) {
  std::optional<double> share;
  for (const Duel& duel : results.duels) {
    const Turns& whole = duel.stages.back();
    share = std::max(share.value_or(0), static_cast<double>(whole.our_peak) / static_cast<double>(whole.their_peak));
  }
  return share;
}

std::optional<double> least_agreement(const Results& results, const std::string& variant) {
  std::optional<double> least;
  for (const Agreement& each : results.agreements) {
    if (each.variant == variant) least = std::min(least.value_or(1), each.spearman);
  }
  return least;
}

std::optional<double> share_of_store(const Results& results, const std::string& stage) {
  const auto found = results.shares.find(stage);
  return found == results.shares.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

std::vector<Goal> goals(const Results& results) {
  const std::string bare = "bare, the engine's pass", index = "index, rank 16";
  return {
      {"S: all of EK-FAC, times as fast as kronfluence", 3, true, against(results, "S", "kronfluence")},
      {"M: all of EK-FAC, times as fast as kronfluence at its best", 3, true, against(results, "M", "kronfluence")},
      {"M: the same without eigendecompositions", 5, true, against(results, "M", "kronfluence", false)},
      {"S: index, times as fast as bergson", 3, true, against(results, "S", "bergson index")},
      {"M: index, times as fast as bergson at its best", 3, true, against(results, "M", "bergson index")},
      {"peak memory, share of the peers' (the worst)", 0.5, false, share_of_their_memory(results)},
      {"M: bare, share of the float32 ceiling", 0.7, true, share_of_ceiling(results, "M")},
      {"L: bare, share of the float32 ceiling", 0.7, true, share_of_ceiling(results, "L")},
      {"L: bf16 pass, times as fast as float32", 3, true, times_as_fast(results, "L", bare)},
      {"S: index of rank 16, x bare", 0.9, false, ratio_to_bare(results, "S", index)},
      {"M: index of rank 16, x bare", 0.8, false, ratio_to_bare(results, "M", index)},
      {"L: index of rank 16, x bare", 0.8, false, ratio_to_bare(results, "L", index)},
      {"bf16, Spearman against exact float32 (the worst)", 0.99, true, least_agreement(results, "EK-FAC, bf16")},
      {"store, 1 question, share of memory bandwidth", 0.8, true, share_of_store(results, "1 question")},
      {"store, 1,000 questions, share of the product ceiling", 0.6, true, share_of_store(results, "1,000 questions")}};
}

}  // namespace assay::bench
