// One command line, understood: what crosses from the executable into libassay.so.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "cli/attribute_options.h"
#include "cli/demo_options.h"
#include "cli/doctor_options.h"
#include "cli/evaluate_options.h"
#include "cli/generate_options.h"
#include "cli/index_options.h"
#include "cli/inspect_options.h"
#include "cli/tokenize_options.h"
#include "cli/train_options.h"

namespace assay::cli {

using CommandOptions = std::variant<DoctorOptions, InspectOptions, GenerateOptions, TokenizeOptions, EvaluateOptions,
                                    TrainOptions, AttributeOptions, IndexOptions, DemoOptions>;

struct Invocation {
  std::string command;                 ///< "attribute"
  std::vector<std::string> arguments;  ///< as typed, after the command's name
  CommandOptions options;

  const CommonOptions& common() const {
    return std::visit([](const auto& chosen) -> const CommonOptions& { return chosen.common; }, options);
  }
};

}  // namespace assay::cli

/// The one entry point of libassay.so. Runs the command, prints results and errors, returns the exit code.
extern "C" int assay_run(const assay::cli::Invocation& invocation);
