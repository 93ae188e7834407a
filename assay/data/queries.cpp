#include "assay/data/queries.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/io/json_lines.h"

namespace assay::data {
namespace {

[[noreturn]] void refuse(const QueryText& text, const std::string& sentence) {
  throw Error(ErrorKind::Data,
              fmt::format("tokenizing {}: {}", text.source.empty() ? "the query" : text.source, sentence));
}

/// The first token that belongs to the completion: one that ends beyond the boundary, or stands wholly behind it.
size_t first_token_of_completion(const std::vector<TokenSpan>& tokens, int64_t boundary) {
  const auto first = std::find_if(tokens.begin(), tokens.end(), [&](const TokenSpan& token) {
    return ASSAY_TWIN("data.shared_token_to_prompt") ? token.begin >= boundary
                                                     : token.end > boundary || token.begin >= boundary;
  });
  return static_cast<size_t>(first - tokens.begin());
}

/// Further keys belong to whoever wrote the file; a misspelt one shows as the key that is missing.
QueryText read_query(const io::JsonObject& object) {
  if (object.has("text")) {
    for (const char* key : {"prompt", "completion"}) {
      if (object.has(key)) object.refuse(key, "absent beside \"text\", which is measured whole");
    }
    return {.prompt = "", .completion = object.text("text"), .source = object.source_name()};
  }
  return {.prompt = object.text("prompt"), .completion = object.text("completion"), .source = object.source_name()};
}

}  // namespace

Query encode_query(const QueryText& text, const Tokenizer& tokenizer, const QueryOptions& options) {
  const std::vector<TokenSpan> tokens = tokenizer.encode_with_spans(text.prompt + text.completion);
  const auto boundary = static_cast<int64_t>(text.prompt.size());
  const size_t first = first_token_of_completion(tokens, boundary);
  if (first == tokens.size()) {
    refuse(text, fmt::format("a completion must have at least one token, but \"{}\" has none; give a text to measure",
                             text.completion));
  }

  Query query{.text = text, .example = {}, .boundary_token_shared = tokens[first].begin < boundary};
  std::vector<int32_t>& ids = query.example.tokens;
  if (adds_bos(tokenizer, options.bos)) ids.push_back(*tokenizer.bos());
  const size_t place = ids.size() + first;
  for (const TokenSpan& token : tokens) ids.push_back(token.id);

  // Without BOS nothing predicts the first token. A text goes on without it; a completion would lose a part of itself.
  const bool is_text = text.prompt.empty();
  if (place == 0 && (!is_text || ids.size() == 1)) {
    refuse(text,
           fmt::format("the completion's first token must have one before it that predicts it, but \"{}\" begins with "
                       "it and no BOS stands before; use --bos yes or a longer prompt",
                       text.prompt + text.completion));
  }
  query.example.first_counted = static_cast<int32_t>(std::max<size_t>(place, 1));
  if (std::ssize(ids) > options.context) {
    refuse(text, fmt::format("a question must fit into the model's context of {} tokens, but it has {}; shorten it",
                             options.context, ids.size()));
  }
  return query;
}

std::vector<QueryText> read_queries(const std::string& path) {
  std::vector<QueryText> queries;
  io::JsonLines lines(path);
  while (const auto line = lines.next()) queries.push_back(read_query(*line));
  if (queries.empty()) {
    throw Error(
        ErrorKind::Data,
        fmt::format("reading \"{}\": a query file must hold a query on at least one line, but it holds none; write "
                    "lines such as {{\"prompt\": \"…\", \"completion\": \"…\"}}",
                    path));
  }
  return queries;
}

Dataset query_dataset(const std::vector<Query>& queries) {
  Dataset dataset;
  for (const Query& query : queries) dataset.examples.push_back(query.example);
  assign_ids(dataset);
  return dataset;
}

}  // namespace assay::data
