#include "cli/common_options.h"

#include "assay/core/plan.h"
#include "cli/typed_options.h"

namespace assay::cli {

const char* to_string(Precision precision) {
  switch (precision) {
    case Precision::Float64: return "fp64";
    case Precision::BFloat16: return "bf16";
    default: return "fp32";
  }
}

namespace {

CLI::Option* add_dtype(CLI::App& command, Precision& precision, Arithmetic arithmetic) {
  std::vector<std::pair<std::string, Precision>> choices{{to_string(Precision::Float32), Precision::Float32},
                                                         {to_string(Precision::Float64), Precision::Float64}};
  if (arithmetic == Arithmetic::Training) {
    return add_choice<Precision>(command, "--dtype", precision, choices,
                                 "Precision of the arithmetic; there is no bf16: training loses its small steps in it",
                                 "in which small steps of training are kept");
  }
  choices.emplace_back(to_string(Precision::BFloat16), Precision::BFloat16);
  return add_choice<Precision>(
      command, "--dtype", precision, choices,
      arithmetic == Arithmetic::Loading
          ? "Precision in which weights are held: bf16 takes half the memory of fp32"
          : "Precision of the arithmetic; bf16: matrices and inputs of products, all else fp32");
}

}  // namespace

void describe(CLI::App& command, CommonOptions& options, const CommonScope& scope) {
  const auto grouped = [](CLI::Option* option) { return option->group("Common options"); };
  grouped(add_text(command, "--out", options.out, "DIR", "Folder for the result: " + scope.kept));
  grouped(
      add_switch(command, "--json", options.json, "Print one JSON object on standard output (keys: docs/results.md)"));
  grouped(add_switch(command, "--quiet", options.quiet, "No progress, no notes"));
  if (scope.is_random) {
    grouped(add_integer(command, "--seed", options.seed, {.minimum = 0},
                        "Of everything random; the same seed gives the same bits")
                ->each([&options](const std::string&) { options.seed_given = true; }));
  }
  grouped(add_integer(command, "--threads", options.threads, {.minimum = 1, .maximum = 4096}, "Processor cores to use",
                      "all that are granted"));
  grouped(command.add_option_function<std::string>(
              "--memory", [&options](const std::string& text) { options.memory_bytes = parse_bytes(text, "--memory"); },
              "Memory to stay below, e.g. 8GB or 512MiB"))
      ->type_name("SIZE")
      ->default_str("what is free");
  if (scope.arithmetic != Arithmetic::None) grouped(add_dtype(command, options.precision, scope.arithmetic));
  grouped(add_choice<Device>(command, "--device", options.device, {{"cpu", Device::Cpu}, {"cuda", Device::Cuda}},
                             "Where to compute"));
  grouped(add_switch(command, "--plan", options.plan, "Print what it will cost in time, memory and disk, and stop"));
  grouped(add_switch(command, "--force", options.force, "Replace the result of another run in --out"));
  grouped(command.add_option("--config", "TOML file with these options, e.g. top = 10; the command line wins"))
      ->type_name("FILE");
}

}  // namespace assay::cli
