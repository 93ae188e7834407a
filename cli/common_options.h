// Options that every command has, but for those that would do nothing in it.
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

/// What a command does with numbers: which --dtype it takes.
enum class Arithmetic {
  None,      ///< no --dtype
  Loading,   ///< it holds a model and computes nothing with it
  Training,  ///< no bf16
  Any,
};

struct CommonScope {
  std::string kept = "result.json, arrays and report.html";  ///< what the command leaves in --out, as help says it
  Arithmetic arithmetic = Arithmetic::Any;
  bool is_random = true;  ///< it takes --seed
};

void describe(CLI::App& command, CommonOptions& options, const CommonScope& scope = {});

}  // namespace assay::cli
