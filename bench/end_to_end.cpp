// Whole commands as a user runs them: `assay attribute` on stories260K, first with an empty cache, then with the
// factors that the first run left; time and peak memory beside what the plan said.
//
//   build/bench/bench_end_to_end [--quick] [--benchmark_out=FILE]        run from the project's root
#include <fmt/core.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string data_folder() {
  const char* root = std::getenv("ASSAY_DATA");
  return root != nullptr ? root : "../shared/data";
}

json measure(const std::string& name, const std::string& command, const fs::path& out) {
  const auto start = std::chrono::steady_clock::now();
  if (std::system((command + " --quiet --out '" + out.string() + "' >/dev/null").c_str()) != 0)
    throw std::runtime_error("it failed: " + command);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const json cost = json::parse(std::ifstream(out / "result.json"))["cost"];
  const double planned = cost["planned"]["seconds"], planned_peak = cost["planned"]["peak_bytes"],
               peak = cost["actual"]["peak_bytes"];
  fmt::print("{:<34}{:>9.1f} s {:>12.1f} s {:>10.0f} MB {:>10.0f} MB\n", name, seconds, planned, peak / 1e6,
             planned_peak / 1e6);
  std::fflush(stdout);
  return {{"name", name},
          {"seconds", seconds},
          {"planned_seconds", planned},
          {"peak_bytes", peak},
          {"planned_peak_bytes", planned_peak}};
}

}  // namespace

int main(int count, char** arguments) {
  std::string file;
  bool quick = false;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    quick = quick || argument == "--quick";
    if (argument.starts_with("--benchmark_out=")) file = argument.substr(argument.find('=') + 1);
  }
  const std::string model = data_folder() + "/models/stories260K",
                    stories = data_folder() + "/text/tinystories_1000.txt";
  if (!fs::exists(model) || !fs::exists(stories)) {
    fmt::print("stories260K: skipped, {} or {} is absent\n", model, stories);
    return EXIT_SUCCESS;
  }
  const fs::path folder = fs::temp_directory_path() /
                          fmt::format("assay-bench-{}", std::chrono::steady_clock::now().time_since_epoch().count());
  int outcome = EXIT_SUCCESS;
  try {
    const std::string command = fmt::format(
        "build/assay attribute '{}' --data '{}' --limit {} --context 256 --prompt 'Once upon a time, there was a "
        "little' "
        "--completion ' girl' --cache '{}/cache'",
        model, stories, quick ? 100 : 1000, folder.string());
    fs::create_directories(folder);
    fmt::print("+ {}\n\n{:<34}{:>11}{:>15}{:>14}{:>14}\n", command, "", "took", "planned", "peak", "planned");
    json results = json::array();
    results.push_back(measure("stories260K, one query, cold", command, folder / "cold"));
    results.push_back(measure("the same with cached factors", command, folder / "cached"));
    if (!file.empty()) std::ofstream(file) << json{{"benchmarks", results}}.dump(1) << "\n";
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    outcome = EXIT_FAILURE;
  }
  fs::remove_all(folder);
  return outcome;
}
