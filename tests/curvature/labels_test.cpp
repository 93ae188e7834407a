// Check 8 of the EK-FAC sheet in float32: the labels that a model draws belong to an example and a position, so that
// only a rounding at the edge of a cumulative probability can change one.
#include "assay/curvature/labels.h"

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "assay/core/twin.h"
#include "tests/support/threads.h"
#include "tests/support/toy.h"

namespace assay::curvature {
namespace {

// [B,T]: the gradient of -ln p[label] by the logits is p - onehot(label), negative at the label alone.
at::Tensor labels_drawn(const nn::Model& model, const data::Batch& batch, const nn::Measurement& sampled) {
  const nn::Output output = model.run(batch).output;
  const at::Tensor logits = output.logits().detach().requires_grad_(true);
  const at::AutoGradMode with_history(true);
  const at::Tensor loss = sampled.evaluate({.kind = output.kind, .hidden = logits, .head = {}}, batch).sum();
  return torch::autograd::grad({loss}, {logits})[0].argmin(-1);
}

struct Drawn {
  int64_t positions = 0;
  int64_t different = 0;
};

// Labels of texts one by one against those of batches of `size`, which are padded.
Drawn drawn_alone_and_together(const nn::Model& model, const data::Dataset& dataset, int64_t size,
                               const nn::Measurement& alone, const nn::Measurement& together) {
  Drawn drawn;
  for (const std::vector<int64_t>& rows : batches_of(dataset, size)) {
    const at::Tensor of_batch = labels_drawn(model, data::make_batch(dataset, rows, model.dtype()), together);
    for (size_t b = 0; b < rows.size(); ++b) {
      const data::Batch single = data::make_batch(dataset, std::span(&rows[b], 1), model.dtype());
      const at::Tensor of_one = labels_drawn(model, single, alone)[0];
      const at::Tensor same_text = of_batch[static_cast<int64_t>(b)].narrow(0, 0, of_one.size(0));
      drawn.positions += of_one.size(0);
      drawn.different += of_one.ne(same_text).sum().item<int64_t>();
    }
  }
  return drawn;
}

// Labels of the same batches drawn with one thread and with two.
Drawn drawn_with_one_and_two_threads(const nn::Model& model, const data::Dataset& dataset, int64_t size,
                                     const nn::Measurement& sampled) {
  Drawn drawn;
  for (const std::vector<int64_t>& rows : batches_of(dataset, size)) {
    const data::Batch batch = data::make_batch(dataset, rows, model.dtype());
    const auto with_threads = [&](int threads) {
      const ScopedThreads scope(threads);
      return labels_drawn(model, batch, sampled);
    };
    drawn.positions += batch.mask.sum().item<int64_t>();
    drawn.different += with_threads(1).ne(with_threads(2)).logical_and(batch.mask).sum().item<int64_t>();
  }
  return drawn;
}

TEST(SampledLabels, FlipAtMostThriceInAHundredThousandAcrossBatchSizes) {
  const nn::Model model = toy_llama(1, at::kFloat);
  const data::Dataset dataset = toy_texts(2050, 40, 64);  // 51 positions a text
  const auto sampled = [&](uint64_t seed) {
    return label_passes(Labels::Sampled, seed, model.architecture(), dataset).at(0);
  };
  // Cumulative probabilities are good to some 1e-7 at 24 edges a position: less than one flip is expected, where a key
  // that knew of the batch would change most labels.
  const Drawn same_seed = drawn_alone_and_together(model, dataset, 32, sampled(7), sampled(7));
  ASSERT_GE(same_seed.positions, 100000);
  EXPECT_LE(same_seed.different, 3);
  {
    const ScopedTwin twin("nn.labels_keyed_by_row");
    const data::Dataset some = data::subset(dataset, std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7});
    EXPECT_GT(drawn_alone_and_together(model, some, 8, sampled(7), sampled(7)).different, 3);
  }
  // What is counted are labels: of another seed most differ.
  const data::Dataset few = data::subset(dataset, std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7});
  const Drawn other_seed = drawn_alone_and_together(model, few, 8, sampled(7), sampled(8));
  EXPECT_GT(other_seed.different, other_seed.positions / 2);
}

TEST(SampledLabels, FlipAtMostThriceInAHundredThousandBetweenOneAndTwoThreads) {
  const nn::Model model = toy_llama(1, at::kFloat);
  const data::Dataset dataset = toy_texts(2050, 40, 64);
  const nn::Measurement sampled = label_passes(Labels::Sampled, 7, model.architecture(), dataset).at(0);
  const Drawn drawn = drawn_with_one_and_two_threads(model, dataset, 32, sampled);
  ASSERT_GE(drawn.positions, 100000);
  EXPECT_LE(drawn.different, 3);
  const ScopedTwin twin("nn.labels_keyed_by_thread");
  EXPECT_GT(drawn_with_one_and_two_threads(model, dataset, 32, sampled).different, 3);
}

}  // namespace
}  // namespace assay::curvature
