// Queries: a prompt and the completion that a behaviour is measured on. Both are tokenised together, as a model that
// wrote the one after the other would have seen them; a token that straddles the boundary belongs to the completion,
// and the query says so.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "assay/data/dataset.h"
#include "assay/data/encode.h"
#include "assay/data/tokenizer.h"

namespace assay::data {

/// A prompt and a completion, or (with an empty prompt) a text all of whose tokens count.
struct QueryText {
  std::string prompt;
  std::string completion;
  std::string source;  ///< "queries.jsonl, line 3", for messages
};

struct Query {
  QueryText text;
  Example example;                     ///< first_counted is the completion's first token
  bool boundary_token_shared = false;  ///< the completion's first token begins inside the prompt
};

struct QueryOptions {
  int64_t context = 0;  ///< tokens that the model takes, BOS included; a longer query is refused
  BosPolicy bos = BosPolicy::Auto;
};

/// Throws Error(Data) if the completion has no token, if there is nothing before its first token to predict it from,
/// or if the query is longer than the context.
Query encode_query(const QueryText& text, const Tokenizer& tokenizer, const QueryOptions& options);

/// JSONL with {"prompt": …, "completion": …} or {"text": …} on each line; blank lines are skipped. Throws Error(Data)
/// by line.
std::vector<QueryText> read_queries(const std::string& path);

/// The examples of queries with their ids.
Dataset query_dataset(const std::vector<Query>& queries);

}  // namespace assay::data
