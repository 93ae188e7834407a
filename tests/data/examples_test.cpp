// Examples packed in blocks: they read as a list does, to the bit, and become a list where they are changed.
#include "assay/data/examples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assay/core/philox.h"
#include "assay/core/twin.h"
#include "assay/data/batch.h"
#include "assay/data/batches.h"
#include "assay/data/dataset.h"
#include "assay/data/token_block.h"
#include "tests/support/errors.h"

namespace assay::data {
namespace {

using testing::ElementsAre;

/// Texts of 1 to 20 tokens below `vocabulary`.
Dataset listed_texts(int64_t count, int64_t vocabulary) {
  Dataset dataset;
  for (int64_t i = 0; i < count; ++i) {
    Example example;
    const auto length = 1 + random_below(20, 7, stream_of("tests.lengths"), static_cast<uint64_t>(i));
    for (uint64_t t = 0; t < length; ++t) {
      example.tokens.push_back(static_cast<int32_t>(
          random_below(static_cast<uint64_t>(vocabulary), 7, stream_of("tests.tokens") + static_cast<uint64_t>(i), t)));
    }
    dataset.examples.push_back(std::move(example));
  }
  dataset.examples.push_back(std::as_const(dataset).examples[0]);  // one of them twice
  assign_ids(dataset);
  return dataset;
}

/// The same examples in blocks of `per_block`, a document each.
Dataset packed_texts(const Dataset& dataset, int64_t vocabulary, int64_t per_block) {
  std::vector<std::shared_ptr<const TokenBlock>> blocks;
  TokenBlockBuilder builder(vocabulary);
  int64_t documents = 0;
  const auto close = [&] {
    const int64_t count = builder.documents();
    blocks.push_back(
        std::make_shared<const TokenBlock>(builder.take(), documents - count, io::Source{.name = "block"}));
  };
  for (const ExampleView example : dataset.examples) {
    builder.add_example(example.id, example.tokens.to_vector(), documents++);
    builder.add_document({});
    if (builder.documents() == per_block) close();
  }
  if (builder.documents() > 0) close();
  return {.examples = Examples(packed_examples(std::move(blocks), documents))};
}

bool are_same(const Dataset& a, const Dataset& b) {
  if (a.size() != b.size()) return false;
  for (int64_t row = 0; row < a.size(); ++row) {
    const ExampleView one = a.examples.at(static_cast<size_t>(row)), other = b.examples.at(static_cast<size_t>(row));
    if (one.id != other.id || !(one.tokens == other.tokens) || one.first_counted != other.first_counted) return false;
  }
  return true;
}

class PackedTexts : public testing::TestWithParam<int64_t> {};

TEST_P(PackedTexts, ReadAsTheListTheyCameFrom) {
  const int64_t vocabulary = GetParam();
  const Dataset list = listed_texts(60, vocabulary);
  for (const int64_t per_block : {1, 7, 100}) {
    const Dataset packed = packed_texts(list, vocabulary, per_block);
    EXPECT_TRUE(are_same(packed, list));
    EXPECT_EQ(packed.tokens(), list.tokens());
    EXPECT_EQ(packed.longest(), list.longest());
    EXPECT_EQ(packed.content_hash(), list.content_hash());
    EXPECT_EQ(plan_batches(packed, 64), plan_batches(list, 64));
    for (int64_t row = 0; row < list.size(); ++row) {
      const auto place = static_cast<size_t>(row);
      EXPECT_EQ(content_of(packed.examples[place]), content_of(list.examples[place])) << "16 bits hash as 32";
    }
    const std::vector<int64_t> rows{5, 60, 0, 17};
    const Batch one = make_batch(packed, rows), other = make_batch(list, rows);
    EXPECT_TRUE(one.tokens.equal(other.tokens) && one.targets.equal(other.targets) && one.mask.equal(other.mask));
    EXPECT_EQ(one.ids, other.ids);
    EXPECT_TRUE(are_same(subset(packed, rows), subset(list, rows)));
    EXPECT_TRUE(
        are_same(subset(subset(packed, rows), std::vector<int64_t>{3, 1}), subset(list, std::vector<int64_t>{17, 60})));
  }
  const Dataset packed = packed_texts(list, vocabulary, 7);
  const ScopedTwin twin("data.block_boundary_off_by_one");
  EXPECT_FALSE(are_same(packed, list));
}

INSTANTIATE_TEST_SUITE_P(NarrowAndWide, PackedTexts, testing::Values(65'536, 65'537, 300'000));

TEST(PackedExamples, BecomeAListWhereTheyAreChanged) {
  const Dataset list = listed_texts(10, 50);
  Dataset packed = packed_texts(list, 50, 4);
  const Dataset before = packed;
  packed.examples[2].tokens = {1, 2, 3};
  EXPECT_THAT(packed.examples[2].tokens, ElementsAre(1, 2, 3));
  EXPECT_TRUE(std::as_const(packed).examples[3].tokens == list.examples[3].tokens);
  EXPECT_TRUE(are_same(before, list)) << "the others keep theirs";
  packed.examples.push_back({});
  EXPECT_EQ(packed.size(), 12);
}

TEST(PackedExamples, NoneAreNone) {
  const Dataset nothing{.examples = Examples(packed_examples({}, 0))};
  EXPECT_EQ(nothing.size(), 0);
  EXPECT_EQ(nothing.longest(), 0);
  EXPECT_TRUE(nothing.examples.empty());
  EXPECT_TRUE(plan_batches(nothing).empty());
}

TEST(TokenView, IsARandomAccessRangeOfIds) {
  const std::vector<uint16_t> narrow{5, 65'535, 0, 7};
  const std::vector<int32_t> wide{5, 65'535, 0, 7};
  const TokenView a{std::span<const uint16_t>(narrow)}, b(wide);
  static_assert(std::random_access_iterator<TokenView::Iterator>);
  EXPECT_EQ(a, b);
  EXPECT_THAT(a.part(1, 2), ElementsAre(65'535, 0));
  EXPECT_THAT(a.part(4, 0), ElementsAre());
  EXPECT_EQ(a.back(), 7);
  EXPECT_EQ(a.end() - a.begin(), 4);
  EXPECT_EQ(a.to_vector(), wide);
  EXPECT_FALSE(a == a.part(0, 3));
  EXPECT_THAT(error_of([&] { a.part(3, 2); }), Refusal(ErrorKind::Internal, "count"));
}

TEST(TokenBlock, ArraysThatDoNotFitAreRefused) {
  const auto refusal = [](const std::function<void(io::Arrays&)>& change) {
    TokenBlockBuilder builder(100);
    for (int64_t i = 0; i < 3; ++i) {
      builder.add_example(7, std::vector<int32_t>{1, 2}, i);
      builder.add_document({});
    }
    io::Arrays arrays = builder.take();
    change(arrays);
    return error_of([&] { TokenBlock(std::move(arrays), 0, {.name = "shard"}); });
  };
  EXPECT_FALSE(refusal([](io::Arrays&) {}));
  EXPECT_THAT(refusal([](io::Arrays& arrays) { arrays.erase("document_id"); }),
              Refusal(ErrorKind::Data, "\"document_id\""));
  EXPECT_THAT(refusal([](io::Arrays& arrays) { arrays["tokens"] = io::make_array<float>({6}, std::vector<float>(6)); }),
              Refusal(ErrorKind::Data, "array \"tokens\" must hold 6 numbers of type I32, but it holds 6 of type F32"));
  EXPECT_THAT(refusal([](io::Arrays& arrays) {
                arrays["document_file"] = io::make_array<uint32_t>({2}, {0, 0});
              }),
              Refusal(ErrorKind::Data, "\"document_file\" must hold 3 numbers"));
  EXPECT_THAT(refusal([](io::Arrays& arrays) {
                arrays["example_begin"] = io::make_array<int64_t>({4}, {0, 4, 2, 6});
              }),
              Refusal(ErrorKind::Data, "\"example_begin\" must rise from 0 to the 6 tokens"));
  EXPECT_THAT(refusal([](io::Arrays& arrays) {
                arrays["example_begin"] = io::make_array<int64_t>({4}, {0, 2, 4, 7});
              }),
              Refusal(ErrorKind::Data, "\"example_begin\" must rise"));
  EXPECT_THAT(refusal([](io::Arrays& arrays) {
                arrays["example_document"] = io::make_array<int64_t>({3}, {0, 1, 3});
              }),
              Refusal(ErrorKind::Data, "\"example_document\" must rise from 0 to 2"));
}

}  // namespace
}  // namespace assay::data
