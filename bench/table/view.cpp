#include "bench/table/view.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>

#include "assay/core/version.h"
#include "bench/table/goals.h"

namespace assay::bench {
namespace {

constexpr double kBusy = 0.2;  // cores taken by others, beyond which a time is marked

std::string styled(const std::string& text, const char* code) {
  static const bool has_color = ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  return has_color ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : text;
}
std::string bold(const std::string& text) {
  return styled(text, "1");
}
std::string dim(const std::string& text) {
  return styled(text, "2");
}
std::string rule() {
  std::string line;
  for (int i = 0; i < 100; ++i) line += "─";
  return dim(line) + "\n";
}

/// Three digits that mean something.
std::string seconds_text(double seconds) {
  return fmt::format("{:.{}f}", seconds, seconds < 1 ? 3 : seconds < 100 ? 2 : 1);
}
std::string ratio_text(const std::optional<double>& ratio) {
  return ratio ? fmt::format("{:.2f}", *ratio) : "";
}
std::string bytes_text(int64_t bytes) {
  return bytes > 0 ? format_bytes(bytes) : "";
}
std::string mark(double other_load) {
  return other_load > kBusy ? "~" : " ";
}

std::string type_view(const Results& results, const Workload& workload, const std::string& dtype) {
  std::string text;
  for (const Row& row : results.rows) {
    if (row.workload != workload.name || row.dtype != dtype) continue;
    const Row* slow = dtype == "fp32" ? nullptr : results.find(workload.name, "fp32", row.stage);
    text += fmt::format(
        "  {:<34}{:>9}{}{:>9}{:>8}{:>9}{:>10}{:>9}{:>9}\n", row.stage, seconds_text(row.best()), mark(row.other_load),
        row.tokens > 0 ? format_count(static_cast<int64_t>(row.tokens / row.best())) : "",
        ratio_text(results.ratio_to_bare(row)), ratio_text(results.ratio_to_floor(row)), bytes_text(row.peak_bytes),
        bytes_text(row.disk_bytes), slow ? fmt::format("{:.2f}", slow->best() / row.best()) : "");
  }
  if (text.empty()) return {};
  return bold(fmt::format("  {:<34}{:>9} {:>9}{:>8}{:>9}{:>10}{:>9}{:>9}", dtype, "seconds", "tokens/s", "× bare",
                          "× floor", "peak", "disk", dtype == "fp32" ? "" : "× fp32")) +
         "\n" + text;
}

std::string agreement_view(const Results& results) {
  if (results.agreements.empty() && results.lds.empty()) return {};
  std::string text = "\n" + bold("How near to EK-FAC in exact float32") + "\n" + rule();
  if (!results.agreements.empty())
    text += bold(fmt::format("  {:<44}{:>16}{:>16}", "Spearman (share of the ten strongest)", "S", "L")) + "\n";
  std::set<std::string> seen;
  for (const Agreement& each : results.agreements) {
    if (!seen.insert(each.variant).second) continue;
    text += fmt::format("  {:<44}", each.variant);
    for (const char* workload : {"S", "L"}) {
      const auto found = std::ranges::find_if(results.agreements, [&](const Agreement& other) {
        return other.variant == each.variant && other.workload == workload;
      });
      text += fmt::format("{:>16}", found == results.agreements.end()
                                        ? std::string()
                                        : fmt::format("{:.4f} ({:.2f})", found->spearman, found->top));
    }
    text += "\n";
  }
  if (results.lds.empty()) return text;
  text += bold("  What retraining says (LDS of one seed of studies/ekfac_small_mlp)") + "\n";
  for (const auto& [method, score] : results.lds)
    text +=
        fmt::format("  {:<44}{:>16.3f}\n", method == "retraining" ? "retraining itself, the ceiling" : method, score);
  return text;
}

std::string peers_view(const Results& results) {
  if (results.duels.empty()) return {};
  std::string text = "\n" + bold("Beside the peers, in turns (the fastest of each)") + "\n" + rule() +
                     bold(fmt::format("  {:<40}{:>10}{:>11}{:>11}{:>12}{:>12}", "", "Assay, s", "peer, s", "times",
                                      "peak", "peer's")) +
                     "\n";
  const auto fastest = [](const std::vector<double>& values) { return *std::ranges::min_element(values); };
  for (const Duel& duel : results.duels) {
    text += bold(fmt::format("  {} · {} · Assay in {}", duel.workload, duel.title(), duel.our_dtype)) + "\n";
    for (const Turns& each : duel.stages)
      text += fmt::format("    {:<38}{:>10}{}{:>10}{:>10.2f}×{:>12}{:>12}\n", each.stage,
                          seconds_text(fastest(each.ours)), mark(each.other_load), seconds_text(fastest(each.theirs)),
                          each.ratio(), format_bytes(each.our_peak), format_bytes(each.their_peak));
    double fp32 = 0, bf16 = 0;
    for (const Ceilings& each : duel.ceilings) {
      fp32 = std::max(fp32, each.flops_per_second_fp32);
      bf16 = std::max(bf16, each.flops_per_second_bf16);
    }
    text += fmt::format("    at the ceilings of these turns, {:.0f} and {:.0f} GFLOP/s in bf16: at most {:.1f}×\n",
                        fp32 * 1e-9, bf16 * 1e-9, duel.most());
  }
  return text;
}

std::string store_view(const Results& results) {
  if (results.store.empty()) return {};
  std::string text = "\n" + bold("Questions to a synthetic index") + "\n" + rule();
  for (const Row& row : results.store)
    text += fmt::format("  {:<64}{:>10} s{:>10.0f} % of ceiling\n", row.stage, seconds_text(row.best()),
                        100 * results.shares.at(row.stage));
  return text;
}

std::string goals_view(const Results& results) {
  std::string text;
  for (const Goal& goal : goals(results)) {
    if (!goal.reached) continue;
    text += fmt::format("  {:<64}{:>5} {:<5}{:>8.2f}   {}\n", goal.what, goal.at_least ? "≥" : "≤",
                        fmt::format("{:.2g}", goal.wanted), *goal.reached,
                        goal.holds() ? styled("reached", "32") : styled("not reached", "31"));
  }
  if (text.empty()) return {};
  return "\n" + bold("What was to be reached") + (results.is_quick ? " (judge by a run without --quick)" : "") + "\n" +
         rule() + text;
}

}  // namespace

std::string title_view(const Results& results) {
  const Ceilings& best = results.ceilings;
  return bold(fmt::format("Assay {} beside what this machine can do", version())) +
         fmt::format(
             "{}\n{}, {} threads\nceilings: float32 {:.0f} GFLOP/s · bf16 {:.0f} GFLOP/s · memory {:.1f} GB/s\n",
             results.is_quick ? " (quick)" : "", results.machine, results.threads, best.flops_per_second_fp32 / 1e9,
             best.flops_per_second_bf16 / 1e9, best.bytes_per_second / 1e9);
}

std::string workload_view(const Results& results, const Workload& workload) {
  std::string text;
  for (const char* dtype : kDtypes) text += type_view(results, workload, dtype);
  if (text.empty()) return {};
  return "\n" +
         bold(fmt::format("{}  {}: {} documents of up to {} tokens", workload.name, workload.title,
                          format_count(workload.documents), workload.context)) +
         (workload.indexed != workload.documents ? fmt::format(", index on {}", workload.indexed) : "") + "\n" +
         rule() + text;
}

std::string closing_view(const Results& results) {
  std::string text =
      dim("\nseconds: the fastest run · × bare: time for a token against the faster bare pass in float32 · × floor: "
          "against\n"
          "the counted operations at the ceilings · ~: other programs took over a fifth of a core, do not trust it\n");
  text += agreement_view(results) + peers_view(results) + store_view(results) + goals_view(results);
  if (results.left_out.empty()) return text;
  text += "\n" + bold("Left out") + "\n";
  for (const std::string& sentence : results.left_out) text += "  " + sentence + "\n";
  return text;
}

}  // namespace assay::bench
