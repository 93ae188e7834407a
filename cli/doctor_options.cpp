#include "cli/doctor_options.h"

#include "cli/typed_options.h"

namespace assay::cli {

void describe(CLI::App& command, DoctorOptions& options) {
  command.description("Say what this machine can do for Assay, what is missing and what that costs.");
  command.footer(R"(Measures matrix products in float32 and bf16 and the memory's bandwidth for about two seconds.

Examples:
  assay doctor
  assay doctor --json | jq .ceilings
  assay doctor --clear-cache)");
  add_text(command, "--cache", options.cache, "DIR",
           "Cache folder to report on (default: $ASSAY_CACHE, else ~/.cache/assay)");
  add_switch(command, "--clear-cache", options.clear_cache, "Remove every cached factor and measurement, and stop");
  describe(command, options.common, {.kept = "result.json", .arithmetic = Arithmetic::None, .is_random = false});
}

}  // namespace assay::cli
