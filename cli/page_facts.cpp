#include "cli/page_facts.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>

#include "assay/core/machine.h"

namespace assay::cli {

std::string today() {
  return fmt::format("{0:%d} {0:%B} {0:%Y}", fmt::gmtime(std::time(nullptr)));
}

std::vector<report::CostRow> cost_rows(const Plan& plan, double seconds) {
  const int64_t peak = peak_resident_bytes();
  return {{"Time", format_seconds(plan.total_seconds()), format_seconds(seconds), plan.total_seconds(), seconds},
          {"Memory", format_bytes(plan.peak_bytes()), format_bytes(peak), static_cast<double>(plan.peak_bytes()),
           static_cast<double>(peak)}};
}

}  // namespace assay::cli
