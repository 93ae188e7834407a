// Walks over a batch that was walked before, by a model that remembers what its head said: the same bits as one that
// does not, nothing of other batches, nothing beyond the bound.
#include "assay/nn/head_memory.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/nonzero.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include "assay/core/twin.h"
#include "assay/data/batch.h"
#include "assay/nn/gradients.h"
#include "tests/nn/decoders.h"

namespace assay::nn {
namespace {

constexpr uint64_t kFirstSeed = 5, kLaterSeed = 6;
constexpr int64_t kRoom = int64_t{1} << 30;

data::Batch rows_of_texts(const data::Dataset& texts, const std::vector<int64_t>& rows, at::ScalarType dtype) {
  return data::make_batch(texts, rows, dtype);
}

/// Everything that a walk hands over, as one vector.
at::Tensor handed_over(const Model& model, const data::Batch& batch, const Measurement& measurement) {
  std::vector<at::Tensor> parts;
  std::vector<LayerId> layers = model.architecture().match_layers("blocks.*");
  stream_gradients(model, batch, measurement, layers, [&](const FactoredGradient& gradient) {
    parts.push_back(gradient.output_gradient.to(at::kDouble).flatten());
  });
  return at::cat(parts);
}

class RememberedHeads : public ::testing::TestWithParam<at::ScalarType> {};

TEST_P(RememberedHeads, GiveTheSameBitsInLaterWalks) {
  const at::ScalarType dtype = GetParam();
  const Model plain = tiny_decoder("llama", dtype);
  const data::Dataset texts = random_texts({12, 9, 12, 9});  // two batches of one shape
  const data::Batch first = rows_of_texts(texts, {0, 1}, plain.dtype());
  const data::Batch second = rows_of_texts(texts, {2, 3}, plain.dtype());
  const auto differs = [&] {
    const Model remembering = plain.remembering_heads(kRoom);
    for (const data::Batch& batch : {first, second})
      handed_over(remembering, batch, sampled_label_loss(kFirstSeed, {kLaterSeed}));
    for (const data::Batch& batch : {first, second}) {
      for (const Measurement& later : {sampled_label_loss(kLaterSeed), loss(), sampled_label_loss(kFirstSeed)})
        if (!handed_over(remembering, batch, later).equal(handed_over(plain, batch, later))) return true;
    }
    return false;
  };
  EXPECT_FALSE(differs());
  for (const char* error :
       {"kernel.remembered_without_the_target", "nn.head_of_another_batch", "nn.remembered_labels_of_the_first_seed"}) {
    const ScopedTwin twin(error);
    EXPECT_TRUE(differs()) << error;
  }
}

TEST_P(RememberedHeads, AreThoseOfRunsWithoutTapsAndOfTheseWeights) {
  Model model = tiny_decoder("llama", GetParam()).remembering_heads(kRoom);
  const data::Batch batch = rows_of_texts(random_texts({12, 9}), {0, 1}, model.dtype());
  EXPECT_TRUE(model.run(batch).output.head_memory);
  EXPECT_FALSE(model.run(batch, Taps{}.record("blocks.0.hook_resid_post")).output.head_memory);
  EXPECT_FALSE(model.with(model.parameters().clone()).run(batch).output.head_memory);
  model.parameters();  // which may be changed
  EXPECT_FALSE(model.run(batch).output.head_memory);
}

INSTANTIATE_TEST_SUITE_P(Types, RememberedHeads, ::testing::Values(at::kFloat, at::kDouble, at::kBFloat16));

TEST(HeadMemory, KeepsWhatFitsAndTellsBatchesApart) {
  const data::Dataset texts = random_texts({12, 9, 12});
  const data::Batch some = rows_of_texts(texts, {0, 1}, at::kFloat), others = rows_of_texts(texts, {0, 2}, at::kFloat);
  const at::Tensor places = at::nonzero(some.counted.flatten()).squeeze(1);
  const int64_t width = 16, bytes = places.numel() * HeadMemory::bytes_per_position(width, 4);
  const auto said = [&](const at::Tensor& at_places) {
    const int64_t count = at_places.numel();
    return HeadMemory::Said{{at::randn({count, width}), at::randn({count})},
                            {{kFirstSeed, at_places.clone()}, {kLaterSeed, at_places.clone()}}};
  };
  const auto keeps_both = [&] {
    HeadMemory memory(bytes + bytes / 2);
    memory.keep(some, places, said(places));
    EXPECT_TRUE(memory.find(some, places));
    EXPECT_FALSE(memory.find(some, places.narrow(0, 1, places.numel() - 1)));
    const at::Tensor other_places = at::nonzero(others.counted.flatten()).squeeze(1);
    EXPECT_FALSE(memory.find(others, other_places));
    memory.keep(others, other_places, said(other_places));
    const bool both = memory.find(others, other_places).has_value();
    memory.close();
    EXPECT_FALSE(memory.find(some, places));
    return both;
  };
  EXPECT_FALSE(keeps_both());
  const ScopedTwin twin("nn.head_memory_without_bound");
  EXPECT_TRUE(keeps_both());
}

}  // namespace
}  // namespace assay::nn
