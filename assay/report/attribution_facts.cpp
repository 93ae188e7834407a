#include "assay/report/attribution_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "assay/core/error.h"
#include "assay/report/shade.h"
#include "assay/report/word_runs.h"

namespace assay::report {
namespace {

[[noreturn]] void refuse(const std::string& rule, const std::string& found) {
  throw Error(
      ErrorKind::Internal,
      fmt::format("writing the report: {}, but {}; this is a mistake of the program, please report it", rule, found));
}

void check_document(const ScoredDocument& document, std::size_t documents) {
  if (document.index < 0 || static_cast<std::size_t>(document.index) >= documents) {
    refuse("every shown document must be one of the scored",
           fmt::format("document {} of {} is shown", document.index, documents));
  }
  if (!document.token_scores.empty() && document.token_scores.size() != document.tokens.size()) {
    refuse("token scores must be one a token", fmt::format("document {} has {} for {} tokens", document.index,
                                                           document.token_scores.size(), document.tokens.size()));
  }
  for (const double score : document.token_scores) finite(score, "the score of a token");
}

void check_query(const QueryView& query) {
  if (query.prompt_tokens < 0 || query.prompt_tokens > std::ssize(query.tokens)) {
    refuse("the question must be part of the query",
           fmt::format("{} of {} tokens are its", query.prompt_tokens, query.tokens.size()));
  }
  for (const QueryToken& token : query.tokens) {
    if (token.logprob_nats) finite(*token.logprob_nats, "the log-probability of a token");
  }
  for (const auto* documents : {&query.top, &query.bottom}) {
    for (const ScoredDocument& document : *documents) check_document(document, query.scores.size());
  }
}

std::vector<ValuedTokens> texts_of(const std::vector<ScoredDocument>& documents, double factor) {
  std::vector<ValuedTokens> texts;
  for (const ScoredDocument& document : documents) {
    if (document.token_scores.empty()) continue;
    texts.push_back(readable_tokens(document.tokens, document.token_scores));
    for (double& value : texts.back().values) value *= factor;
  }
  return texts;
}

double largest_of(const std::vector<ValuedTokens>& texts) {
  double largest = 0;
  for (const ValuedTokens& text : texts) {
    for (const double value : text.values) largest = std::max(largest, std::abs(value));
  }
  return largest;
}

}  // namespace

std::string text_of(const std::vector<QueryToken>& tokens, std::size_t begin, std::size_t end) {
  std::string text;
  for (std::size_t i = begin; i < std::min(end, tokens.size()); ++i) text += tokens[i].text;
  return text;
}

std::string QueryFacts::thing() const {
  const std::size_t begin = std::min(completion.find_first_not_of(' '), completion.size());
  const std::size_t gap = completion.find_first_of(" \n", begin);
  const bool is_word = gap == std::string::npos || completion.find_first_not_of(" \n", gap) == std::string::npos;
  return is_word ? "word" : "sentence";
}

std::optional<double> QueryFacts::logprob_nats() const {
  double sum = 0;
  for (std::size_t i = static_cast<std::size_t>(query->prompt_tokens); i < query->tokens.size(); ++i) {
    if (!query->tokens[i].logprob_nats) return std::nullopt;
    sum += *query->tokens[i].logprob_nats;
  }
  return query->tokens.empty() ? std::nullopt : std::optional(sum);
}

std::vector<QueryFacts> facts_of(const AttributionView& view) {
  if (view.queries.empty()) refuse("there must be a query", "there is none");
  std::vector<QueryFacts> all;
  double largest_token = 0;
  for (const QueryView& query : view.queries) {
    check_query(query);
    QueryFacts facts;
    facts.view = &view;
    facts.query = &query;
    const auto prompt_tokens = static_cast<std::size_t>(query.prompt_tokens);
    facts.prompt = text_of(query.tokens, 0, prompt_tokens);
    facts.completion = text_of(query.tokens, prompt_tokens, query.tokens.size());
    const double factor = finite(facts.raw_factor(), "nats per raw score");
    for (const double score : query.scores) facts.values.push_back(score * factor);
    facts.support = support_of(facts.values);
    facts.unit = score_unit(facts.support.largest, facts.has_nats() ? "nats" : view.score_unit);
    for (const auto* documents : {&query.top, &query.bottom}) {
      const std::vector<ValuedTokens> texts = texts_of(*documents, factor);
      facts.has_shading = facts.has_shading || !texts.empty();
      largest_token = std::max(largest_token, largest_of(texts));
    }
    all.push_back(std::move(facts));
  }
  for (QueryFacts& facts : all) {
    facts.steps = SignedSteps::per_token(largest_token);
    facts.words_for = strongest_runs(texts_of(facts.query->top, facts.raw_factor()), facts.steps, +1, 2);
    facts.words_against = strongest_runs(texts_of(facts.query->bottom, facts.raw_factor()), facts.steps, -1, 2);
  }
  return all;
}

}  // namespace assay::report
