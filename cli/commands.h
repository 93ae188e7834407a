// The commands' bodies, one file each (cli/NAME.cpp): parse nothing, compute nothing; call the areas and print.
#pragma once

#include "assay/core/progress.h"
#include "cli/invocation.h"

namespace assay::cli {

/// What a command is given beside its options.
struct Session {
  const Invocation& invocation;
  Progress& progress;
};

void run(const DoctorOptions& options, Session& session);
void run(const InspectOptions& options, Session& session);
void run(const GenerateOptions& options, Session& session);
void run(const TokenizeOptions& options, Session& session);
void run(const EvaluateOptions& options, Session& session);
void run(const TrainOptions& options, Session& session);
void run(const AttributeOptions& options, Session& session);
void run(const IndexOptions& options, Session& session);
void run(const DemoOptions& options, Session& session);

}  // namespace assay::cli
