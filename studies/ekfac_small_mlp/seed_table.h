// What the studies of the small network have in common: five data seeds, a table with a column for each, thresholds
// that must hold at every one of them.
#pragma once

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <map>
#include <string>

#include "assay/core/error.h"
#include "assay/math/summary.h"

namespace assay::studies {

inline constexpr size_t kSeeds = 5;

class SeedTable {
 public:
  void add(const std::string& row, size_t seed, double value) { rows_[row][seed] = value; }
  double at(const std::string& row, size_t seed) const { return rows_.at(row)[seed]; }
  void print() const {
    fmt::print("\n  {:<32}{:>8}{:>8}{:>8}{:>8}{:>8}{:>10}\n", "data seed", 1, 2, 3, 4, 5, "mean");
    for (const auto& [name, values] : rows_) {
      fmt::print("  {:<32}", name);
      for (const double value : values) fmt::print("{:8.3f}", value);
      fmt::print("{:10.3f}\n", math::mean(values));
    }
  }

 private:
  std::map<std::string, std::array<double, kSeeds>> rows_;
};

class Thresholds {
 public:
  void must(bool holds, size_t seed, const std::string& rule) {
    if (holds) return;
    fmt::print("MISSED at seed {}: {}\n", seed + 1, rule);
    ++missed_;
  }
  /// Says how many were missed; the program's exit code.
  int verdict() const {
    fmt::print("{}\n", missed_ == 0 ? "Every threshold holds." : fmt::format("{} thresholds were missed.", missed_));
    return missed_ == 0 ? 0 : 1;
  }

 private:
  int missed_ = 0;
};

/// The whole study: `measure(seed, table)` for each seed, the table, then `check(table, seed, thresholds)` for each.
template <class Measure, class Check>
int run_study(const Measure& measure, const Check& check) {
  try {
    SeedTable table;
    for (size_t seed = 0; seed < kSeeds; ++seed) {
      measure(seed, table);
      fmt::print("seed {} of {} done\n", seed + 1, kSeeds);
    }
    table.print();
    Thresholds thresholds;
    for (size_t seed = 0; seed < kSeeds; ++seed) check(table, seed, thresholds);
    return thresholds.verdict();
  } catch (const Error& error) {
    fmt::print(stderr, "study: {}\n", error.what());
    return error.exit_code();
  }
}

}  // namespace assay::studies
