// assay tokenize --data: a corpus as token shards, planned beforehand, resumed where it was stopped.
#pragma once

#include "cli/commands.h"

namespace assay::cli {

void tokenize_corpus(const TokenizeOptions& options, Session& session);

}  // namespace assay::cli
