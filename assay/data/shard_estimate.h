// What tokenising a corpus will come to, from a sample: the first megabyte is read and tokenised, timed and counted,
// and the rest is taken to be like them.
#pragma once

#include <cstdint>

#include "assay/core/plan.h"
#include "assay/data/token_shards.h"

namespace assay::data {

struct ShardEstimate {
  int64_t documents = 0, tokens = 0;
  Cost cost;  ///< time as it was measured here, memory at the worst moment, the shards on the disk
};

/// Reads about a megabyte of text. Errors as CorpusReader and BlockEncoder where they are amiss there already.
ShardEstimate estimate_shards(const ShardJob& job, const Tokenizer& tokenizer);

}  // namespace assay::data
