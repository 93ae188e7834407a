// A real model: stories260K against single float64 backward passes, and stories that look for themselves.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>

#include "assay/core/twin.h"
#include "assay/data/corpus.h"
#include "assay/data/encode.h"
#include "assay/nn/checkpoint.h"
#include "tests/support/data.h"
#include "tests/support/scoring.h"

namespace assay::attribute {
namespace {

struct Stories {
  nn::Model model;
  data::Dataset dataset;

  static Stories load(const std::string& model, const std::string& text, int64_t limit, int64_t context) {
    const data::Corpus corpus = data::read_corpus(text, {.limit = limit});
    const data::Tokenizer tokenizer = data::load_tokenizer(model);
    return {nn::load_checkpoint(model).model, data::encode(corpus, tokenizer, {.context = context}).dataset};
  }
};

TEST(Stories260K, DotProductsEqualSingleFloat64BackwardPasses) {
  const std::string model = data_path("models/stories260K"), text = data_path("text/tinystories_1000.txt");
  if (model.empty() || text.empty()) GTEST_SKIP() << no_data("models/stories260K");
  const Stories stories = Stories::load(model, text, 9, 256);
  const data::Dataset queries = data::subset(stories.dataset, std::vector<int64_t>{0, 1, 2, 3});
  const data::Dataset train = data::subset(stories.dataset, std::vector<int64_t>{4, 5, 6, 7, 8});
  const auto scores = [&] { return Scoring{stories.model, train, queries}.total("identity").to(at::kDouble); };
  const nn::Model exact = stories.model.with(stories.model.parameters().to(at::kDouble));
  const at::Tensor expected =
      flat_gradients(exact, queries, nn::loss()).matmul(flat_gradients(exact, train, nn::loss()).t());
  const auto error = [&] { return scores().sub(expected).abs().div(expected.abs()).max().item<double>(); };
  EXPECT_LT(error(), 1e-4);  // 20 pairs
  const ScopedTwin twin("nn.mean_for_sum");
  EXPECT_GT(error(), 1e-1);
}

TEST(Stories260K, RankThemselvesFirst) {
  const std::string model = data_path("models/stories260K"), text = data_path("text/tinystories_1000.txt");
  if (model.empty() || text.empty()) GTEST_SKIP() << no_data("models/stories260K");
  const Stories stories = Stories::load(model, text, 1000, 256);
  std::vector<int64_t> rows;
  for (int64_t q = 0; q < 50; ++q) rows.push_back(q * 20);
  Scoring scoring{stories.model, stories.dataset, data::subset(stories.dataset, rows)};
  scoring.parts.self_influence = true;
  for (const char* method : {"identity", "ekfac"}) {
    const Scores scores = scoring(method);
    int64_t first = 0;
    for (int64_t q = 0; q < 50; ++q) {
      const int64_t own = rows[static_cast<size_t>(q)], winner = scores.total[q].argmax().item<int64_t>();
      if (winner == own) {
        ++first;
        continue;
      }
      const double score = scores.total[q][winner].item<double>(),
                   norm = std::sqrt(scores.self_influence[winner].item<double>());
      const double own_norm = std::sqrt(scores.self_influence[own].item<double>());
      std::printf("%s: story %ld is beaten by %ld: cosine %.3f, norm ratio %.2f\n", method, static_cast<long>(own),
                  static_cast<long>(winner), score / (norm * own_norm), norm / own_norm);
    }
    EXPECT_GE(first, 48) << method;
  }
}

}  // namespace
}  // namespace assay::attribute
