// Does the demo hold on other corpora than the one it shows? Runs `assay demo` on five corpus seeds and checks the
// means against what docs/demo.md promises. Each run is the user's own command; only its result.json is read.
//
//   ./dev study demo_five_seeds              about 15 minutes on 2 cores; finished seeds are not run again
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace {

using nlohmann::json;

constexpr int kSeeds = 5;  // 1 to 5

/// One number of every seed's result, by name: "fact precision EK-FAC".
using Numbers = std::map<std::string, std::vector<double>>;

json run_demo(const std::filesystem::path& program, const std::filesystem::path& folder, int seed) {
  const std::filesystem::path out = folder / fmt::format("seed-{}", seed);
  const std::string command =
      fmt::format("'{}' demo --seed {} --out '{}' --quiet >/dev/null", program.string(), seed, out.string());
  fmt::print("+ {}\n", command);
  std::fflush(stdout);
  if (std::system(command.c_str()) != 0) throw std::runtime_error("the demo failed: " + command);
  return json::parse(std::ifstream(out / "result.json"));
}

void collect(const json& result, Numbers& numbers) {
  for (const json& group : result["groups"]) {
    const auto kind = group["kind"].get<std::string>();
    numbers[kind + " probability"].push_back(group["mean_probability"]);
    for (const auto& [method, value] : group["precision"].items())
      numbers[kind + " precision " + method].push_back(value);
    if (kind == "disputed fact")
      for (const auto& [method, value] : group["bottom_precision"].items())
        numbers[kind + " bottom " + method].push_back(value);
    for (const auto& [name, value] : group["change_nats"].items()) numbers[kind + " change " + name].push_back(value);
    double predicted = 0;
    for (const json& value : group["predicted_nats"])
      predicted += value.get<double>() / static_cast<double>(group["predicted_nats"].size());
    numbers[kind + " change predicted"].push_back(predicted);
    if (!group["spearman"].is_null()) numbers[kind + " spearman"].push_back(group["spearman"]);
  }
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

class Checks {
 public:
  explicit Checks(const Numbers& numbers) : numbers_(numbers) {}

  double of(const std::string& name) const { return mean(numbers_.at(name)); }

  void at_least(const std::string& what, double value, double bound) {
    report(what, value, ">=", bound, value >= bound);
  }
  void at_most(const std::string& what, double value, double bound) {
    report(what, value, "<=", bound, value <= bound);
  }

  bool all_hold() const { return all_hold_; }

 private:
  void report(const std::string& what, double value, const char* relation, double bound, bool holds) {
    fmt::print("{}  {:<58} {:7.3f} {} {:6.3f}\n", holds ? "holds" : "FAILS", what, value, relation, bound);
    all_hold_ = all_hold_ && holds;
  }

  const Numbers& numbers_;
  bool all_hold_ = true;
};

void check_gap(Checks& checks, const std::string& end, double least) {
  checks.at_least(end + ": EK-FAC over gradient dot", checks.of(end + " EK-FAC") - checks.of(end + " gradient dot"),
                  least);
}

void check_removal(Checks& checks, const std::string& kind) {
  const double top = checks.of(kind + " change without_top"), random = checks.of(kind + " change without_random");
  checks.at_most(kind + ": change without the top documents, nats", top, -2);
  checks.at_most(kind + ": the same against 2.5 times random removal", top, 2.5 * random);
}

bool check(const Numbers& numbers) {
  Checks checks(numbers);
  checks.at_least("fact: precision of EK-FAC", checks.of("fact precision EK-FAC"), 0.8);
  checks.at_least("disputed fact: precision of EK-FAC from the bottom", checks.of("disputed fact bottom EK-FAC"), 0.8);
  checks.at_least("rule: precision of EK-FAC", checks.of("rule precision EK-FAC"), 0.6);
  checks.at_most("rule: precision of the better BM25",
                 std::max(checks.of("rule precision BM25 (words)"), checks.of("rule precision BM25 (tokens)")), 0.15);
  check_gap(checks, "fact precision", 0.1);
  check_gap(checks, "disputed fact precision", 0.1);
  check_gap(checks, "disputed fact bottom", 0.1);
  check_gap(checks, "rule precision", 0.1);
  for (const char* kind : {"fact", "disputed fact", "rule"}) check_removal(checks, kind);
  return checks.all_hold();
}

}  // namespace

int main(int, char** argv) {
  try {
    const std::filesystem::path build = std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path();
    const std::filesystem::path folder = build / "studies" / "demo_five_seeds.runs";
    std::filesystem::create_directories(folder);
    Numbers numbers;
    for (int seed = 1; seed <= kSeeds; ++seed) collect(run_demo(build / "assay", folder, seed), numbers);
    fmt::print("\n{:<46} {:>7}   seeds 1 to {}\n", "", "mean", kSeeds);
    for (const auto& [name, values] : numbers) {
      fmt::print("{:<46} {:7.2f}  ", name, mean(values));
      for (const double value : values) fmt::print(" {:6.2f}", value);
      fmt::print("\n");
    }
    fmt::print("\n");
    return check(numbers) ? EXIT_SUCCESS : EXIT_FAILURE;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: {}\n", argv[0], error.what());
    return EXIT_FAILURE;
  }
}
