// stories260K, a real Llama: the greedy text and the loss that an independent float64 forward pass gave (data README).
#include <gtest/gtest.h>

#include <algorithm>

#include "assay/data/encode.h"
#include "assay/nn/checkpoint.h"
#include "assay/nn/generate.h"
#include "assay/nn/gradients.h"
#include "tests/support/data.h"

namespace assay::nn {
namespace {

TEST(Stories, GreedyTextIsTheRecordedOne) {
  const std::string path = data_path("models/stories260K");
  if (path.empty()) GTEST_SKIP() << no_data("models/stories260K");
  const Model model = load_checkpoint(path).model;
  const data::Tokenizer tokenizer = data::load_tokenizer(path);
  const std::vector<int32_t> prompt{*tokenizer.bos()};
  const std::string text = tokenizer.decode(generate(model, prompt, {.max_tokens = 60}));
  const std::string expected =
      "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a "
      "big, red ball.";
  EXPECT_EQ(text.substr(0, expected.size()), expected);
}

TEST(Stories, MeanLossIsTheRecordedOne) {
  const std::string path = data_path("models/stories260K"), text = data_path("text/tinystories_1000.txt");
  if (path.empty() || text.empty()) GTEST_SKIP() << no_data("models/stories260K");
  const Model model = load_checkpoint(path).model;
  const data::Corpus corpus = data::read_corpus(text, {.limit = 40});
  const data::EncodedCorpus encoded = data::encode(corpus, data::load_tokenizer(path), {.context = 512});
  double total = 0;
  int64_t tokens = 0;
  for (int64_t row = 0; row < 40; ++row) {
    const std::vector<int64_t> rows{row};
    const data::Batch batch = data::make_batch(encoded.dataset, rows);
    total += evaluate(model, batch, loss()).sum().item<double>();
    tokens += batch.counted.sum().item<int64_t>();
  }
  EXPECT_NEAR(total / static_cast<double>(tokens), 1.30689, 1e-4);
}

}  // namespace
}  // namespace assay::nn
