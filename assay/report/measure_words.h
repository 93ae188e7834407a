// How reports speak of what was measured, turned so that a supporter always brings more of what helps.
#pragma once

#include <string_view>

namespace assay::report {

struct MeasureWords {
  const char* name;  ///< "log-probability"
  const char* more;  ///< what a supporter brings: "rise"; of a loss "fall"
  const char* less;  ///< what its absence brings
  const char* with;  ///< what a supporter does to it: "raises"
  const char* without;
};

/// measure: "logprob", "margin" or "loss".
constexpr MeasureWords measure_words(std::string_view measure) {
  if (measure == "loss") return {"loss", "fall", "rise", "lowers", "raises"};
  if (measure == "margin") return {"margin", "rise", "drop", "raises", "lowers"};
  return {"log-probability", "rise", "drop", "raises", "lowers"};
}

}  // namespace assay::report
