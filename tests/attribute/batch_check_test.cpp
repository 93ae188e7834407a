// Documents alone and in company, of every family of decoders in every precision: the same losses and gradients, and
// what leaks from a neighbour is found.
#include "assay/attribute/batch_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <numeric>

#include "assay/core/twin.h"
#include "assay/data/batch.h"
#include "tests/nn/decoders.h"
#include "tests/support/errors.h"
#include "tests/support/scoring.h"

namespace assay::attribute {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Job {
  nn::Model model;
  data::Dataset documents;
  int64_t memory_bytes = int64_t{1} << 30;

  Inputs inputs() const {
    return {.model = model,
            .train = {documents},
            .queries = {documents},
            .measurement = nn::loss(),
            .layers = all_layers(model),
            .memory_bytes = memory_bytes};
  }
  BatchCheck check() const { return check_batches(inputs(), silent_progress()); }
  std::vector<int64_t> rows() const { return batch_check_rows(inputs()); }
  std::vector<int64_t> lengths() const {
    std::vector<int64_t> found;
    for (const int64_t row : rows()) found.push_back(std::ssize(documents.examples[static_cast<size_t>(row)].tokens));
    return found;
  }
};

Job job_of(const std::string& family, at::ScalarType dtype, const std::vector<int64_t>& lengths) {
  return {nn::tiny_decoder(family, dtype), nn::random_texts(lengths)};
}

class BatchChecks : public ::testing::TestWithParam<std::string> {};

TEST_P(BatchChecks, PassInEveryPrecision) {
  for (const at::ScalarType dtype : {at::kDouble, at::kFloat, at::kBFloat16}) {
    const Job job = job_of(GetParam(), dtype, {2, 3, 64, 9, 17, 33, 40, 64, 21, 12});
    const BatchCheck check = job.check();
    EXPECT_EQ(check.documents, 8);
    EXPECT_LT(check.largest(), check.tolerance);
    EXPECT_EQ(check.tolerance, batch_tolerance(job.model));
  }
}

// Losses of padding reach real positions through their keys and values.
TEST_P(BatchChecks, FindWhatLeaks) {
  for (const at::ScalarType dtype : {at::kDouble, at::kFloat, at::kBFloat16}) {
    const Job job = job_of(GetParam(), dtype, {30, 12});
    const ScopedTwin twin("nn.padding_is_counted");
    EXPECT_THAT(error_of([&] { job.check(); }), Refusal(ErrorKind::Numeric, "among 2 the loss of row 1 differs by"));
  }
}

INSTANTIATE_TEST_SUITE_P(Families, BatchChecks,
                         ::testing::Values("llama", "llama, tied", "qwen2, windows", "gpt2", "gpt_neo", "gpt_neox"));

TEST(BatchCheck, ComparesADocumentWithItself) {
  const Job job = job_of("llama", at::kFloat, {30, 12, 20});
  EXPECT_EQ(job.check().documents, 3);
  const ScopedTwin twin("attribute.batch_check_of_the_next");
  EXPECT_THAT(error_of([&] { job.check(); }),
              Refusal(ErrorKind::Numeric, "try --dtype fp64, and please report this as a bug"));
}

TEST(BatchCheck, TakesDocumentsOfAllLengths) {
  Job job = job_of("llama", at::kFloat, {40, 3, 5, 4, 60, 1, 7, 58, 30, 3, 20, 12});
  // From 3 to 60 tokens in seven steps of 8 1/7: the nearest to 3, 11, 19, 27, 35, 43, 51 and 60, each once.
  EXPECT_THAT(job.lengths(), ElementsAre(3, 12, 20, 30, 40, 58, 60, 7));
}

// What cannot be in a batch with another of its length is walked alone, and nothing can leak into it.
TEST(BatchCheck, TakesWhatFitsABatchOfTheWalk) {
  Job job = job_of("llama", at::kFloat, {40, 3, 5, 4, 60, 1, 7, 58, 30, 3, 20, 12});
  job.memory_bytes = 1;  // 32 positions, the fewest that a walk has: two of 15 or three of 10
  EXPECT_THAT(job.lengths(), ElementsAre(3, 12));
  EXPECT_EQ(job.check().documents, 2);
  job.documents = nn::random_texts({40, 3, 30});
  EXPECT_EQ(job.check().documents, 0);
}

TEST(BatchCheck, DoesNotDependOnTheOrderOfDocuments) {
  Job job = job_of("llama", at::kFloat, {9, 9, 9, 9, 9, 9, 9, 9, 9, 30});
  const auto ids = [&] {
    std::vector<data::ExampleId> found;
    for (const int64_t row : job.rows()) found.push_back(job.documents.id(row));
    return found;
  };
  const std::vector<data::ExampleId> before = ids();
  std::vector<int64_t> backwards(10);
  std::iota(backwards.rbegin(), backwards.rend(), 0);
  job.documents = data::subset(job.documents, backwards);
  EXPECT_EQ(ids(), before);
}

TEST(BatchCheck, OfOneDocumentOrNoTargetsComparesNothing) {
  for (const std::vector<int64_t>& lengths : {std::vector<int64_t>{}, {20}, {1, 1, 1}, {1, 20, 1}, {2, 2, 2}}) {
    const BatchCheck check = job_of("llama", at::kFloat, lengths).check();
    EXPECT_EQ(check.documents, 0);
    EXPECT_EQ(check.largest(), 0);
  }
  Job job = job_of("llama", at::kFloat, {20, 9});
  job.documents.examples[1].first_counted = 9;  // context alone
  EXPECT_EQ(job.check().documents, 0);
}

TEST(BatchCheck, OfEqualLengthsPadsNothing) {
  for (const int64_t length : {3, 20}) {
    const BatchCheck check = job_of("gpt2", at::kFloat, std::vector<int64_t>(12, length)).check();
    EXPECT_EQ(check.documents, 8);
    EXPECT_LT(check.largest(), check.tolerance);
  }
}

nn::Model with_weights_times(const nn::Model& model, const std::string& part, double factor) {
  nn::Model changed = model.with(model.parameters().clone());
  for (size_t i = 0; i < changed.parameters().size(); ++i)
    if (changed.parameters().name(i).find(part) != std::string::npos) changed.parameters()[i].mul_(factor);
  return changed;
}

// Each position sees one key: what is left of the gradients of queries and keys is rounding.
TEST(BatchCheck, OfSharpAttentionIsNoRefusal) {
  for (const at::ScalarType dtype : {at::kDouble, at::kFloat, at::kBFloat16}) {
    Job job = job_of("llama", dtype, {3, 64, 9, 17, 33, 40});
    job.model = with_weights_times(job.model, "q_proj", 1000);
    const BatchCheck check = job.check();
    EXPECT_EQ(check.documents, 6);
    EXPECT_LT(check.largest(), check.tolerance);
  }
}

// What the model itself says, beyond doubt.
TEST(BatchCheck, OfWhatIsCertainIsNoRefusal) {
  for (const double sureness : {100, 10000}) {
    Job job = job_of("llama", at::kFloat, {30, 12, 20, 5});
    job.model = with_weights_times(job.model, "lm_head", sureness);
    for (data::Example& text : job.documents.examples) {
      for (size_t t = 1; t < text.tokens.size(); ++t) {
        const at::Tensor logits = job.model.run(data::prompt_batch(std::span(text.tokens).first(t))).output.logits()[0];
        text.tokens[t] = static_cast<int32_t>(logits[static_cast<int64_t>(t) - 1].argmax().item<int64_t>());
      }
    }
    const BatchCheck check = job.check();
    EXPECT_EQ(check.documents, 4);
    EXPECT_LT(check.largest(), check.tolerance);
  }
}

// Where numbers are not finite anyway, the fit says which.
TEST(BatchCheck, LeavesWhatIsNotFiniteToTheFit) {
  Job job = job_of("llama", at::kFloat, {30, 12});
  job.model = job.model.with(job.model.parameters().clone());
  job.model.parameters()[0].fill_(std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(job.check().largest(), 0);
}

}  // namespace
}  // namespace assay::attribute
