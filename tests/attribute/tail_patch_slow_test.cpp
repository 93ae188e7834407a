// The trust check on a real model: a training step on a document that EK-FAC ranks first must raise a query more than a
// step on a random one does.
#include <gtest/gtest.h>

#include <cstdio>

#include "assay/attribute/shown.h"
#include "assay/core/twin.h"
#include "assay/data/corpus.h"
#include "assay/data/encode.h"
#include "assay/data/queries.h"
#include "assay/math/summary.h"
#include "assay/nn/checkpoint.h"
#include "assay/train/tail_patch.h"
#include "tests/support/data.h"
#include "tests/support/scoring.h"

namespace assay::attribute {
namespace {

constexpr int64_t kSearched = 400, kQueries = 20, kTop = 10, kRandom = 30;

size_t end_of_word(const std::string& text, int words) {
  size_t end = 0;
  for (int word = 0; word < words; ++word) end = text.find_first_of(" \n", text.find_first_not_of(" \n", end));
  return end;
}

// A story's first twelve words ask for the next two.
data::QueryText opening_of(const data::Document& story) {
  const size_t asked = end_of_word(story.text, 12), answered = end_of_word(story.text, 14);
  return {.prompt = story.text.substr(0, asked),
          .completion = story.text.substr(asked, answered - asked),
          .source = story.source};
}

// The first stories are searched; later ones, which no score has seen, are asked about.
Scoring held_out_openings(const std::string& model, const std::string& text) {
  const data::Tokenizer tokenizer = data::load_tokenizer(model);
  const data::EncodeOptions options{.context = 128};
  const data::Corpus all = data::read_corpus(text);
  std::vector<data::Query> queries;
  for (int64_t q = 0; q < kQueries; ++q) {
    const data::Document& story = all.documents.at(static_cast<size_t>(600 + 20 * q));
    queries.push_back(data::encode_query(opening_of(story), tokenizer, {.context = options.context}));
  }
  return {.model = nn::load_checkpoint(model).model,
          .train = data::encode(data::read_corpus(text, {.limit = kSearched}), tokenizer, options).dataset,
          .queries = data::query_dataset(queries),
          .measurement = nn::log_probability()};
}

// The ten strongest documents of every query, and thirty drawn for it from the rest.
std::vector<train::TailPatchRequest> strongest_and_random(const at::Tensor& scores) {
  std::vector<train::TailPatchRequest> requests;
  for (int64_t q = 0; q < scores.size(0); ++q) {
    const at::Tensor row = scores[q].to(at::kDouble).contiguous();
    const std::span<const double> values(row.const_data_ptr<double>(), static_cast<size_t>(row.numel()));
    const std::vector<int64_t> top = strongest_supporters(values, kTop, false);
    requests.push_back({.top = top, .random = random_rows(row.numel(), kRandom, top, static_cast<uint64_t>(q))});
  }
  return requests;
}

TEST(TailPatchOfStories260K, MovesQueriesMoreByTheTopTenThanByRandomDocuments) {
  const std::string model = data_path("models/stories260K"), text = data_path("text/tinystories_1000.txt");
  if (model.empty() || text.empty()) GTEST_SKIP() << no_data("models/stories260K");
  const Scoring scoring = held_out_openings(model, text);
  const std::vector<train::TailPatchRequest> requests = strongest_and_random(scoring.total("ekfac"));
  const auto t_over_queries = [&] {
    const train::TailPatchResult result =
        train::tail_patch(scoring.model, scoring.train, scoring.queries, requests, scoring.measurement);
    std::vector<double> top, random;
    for (const train::TailPatchComparison& query : result.queries) {
      top.push_back(query.top_mean);
      random.push_back(query.random_mean);
    }
    const math::TStatistic found = math::paired_t(top, random);
    std::printf("tail-patch: top ten against random %+.4f nats, t %.2f over %ld queries\n", found.difference, found.t,
                static_cast<long>(kQueries));
    return found.t;
  };
  EXPECT_GE(t_over_queries(), 5);  // of the 20 differences of means, so that queries, not documents, are the sample
  const ScopedTwin twin("train.tail_patch_wrong_sign");
  EXPECT_LT(t_over_queries(), 5);
}

}  // namespace
}  // namespace assay::attribute
