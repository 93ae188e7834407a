// Options that every command has.
#pragma once

#include <cstdint>
#include <string>

namespace CLI {
class App;
}

namespace assay::cli {

enum class Precision { Float32, Float64, BFloat16 };  // results are keyed by the number: new ones at the end
enum class Device { Cpu, Cuda };

/// "fp32", "fp64", "bf16": as --dtype takes it and results give it.
const char* to_string(Precision precision);

struct CommonOptions {
  std::string out;           ///< result folder; empty: the command's default, or none
  bool json = false;         ///< one JSON object on standard output, nothing else
  bool quiet = false;        ///< no progress, no notes
  bool plan = false;         ///< print time, memory and disk, and stop
  bool force = false;        ///< replace the result of another run in `out`
  int64_t seed = 0;          ///< 0 or more
  bool seed_given = false;   ///< --seed was given: it wins over a recipe's own
  int64_t threads = 0;       ///< 0: every core that is granted
  int64_t memory_bytes = 0;  ///< 0: what is available now
  Precision precision = Precision::Float32;
  Device device = Device::Cpu;
};

/// `kept`: what the command leaves in --out, as help says it.
void describe(CLI::App& command, CommonOptions& options,
              const std::string& kept = "result.json, arrays and report.html");

}  // namespace assay::cli
