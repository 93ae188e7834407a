// What the project set itself to reach, beside what this sitting reached. Only numbers that were measured are judged.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/table/results.h"

namespace assay::bench {

struct Goal {
  std::string what;
  double wanted = 0;
  bool at_least = true;  ///< false: at most
  std::optional<double> reached = {};

  bool holds() const { return reached && (at_least ? *reached >= wanted : *reached <= wanted); }
};

std::vector<Goal> goals(const Results& results);

}  // namespace assay::bench
