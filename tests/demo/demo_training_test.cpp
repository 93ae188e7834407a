#include "cli/demo_training.h"

#include <gtest/gtest.h>

#include "assay/train/recipe.h"
#include "cli/demo_files.h"
#include "tests/support/temporary_folder.h"

namespace assay::cli {
namespace {

/// A folder as the demo lays it out, with the recipe of one model.
train::Recipe recipe_in(const TemporaryFolder& folder, const DemoModel& model, const data::ThreeCauses& corpus) {
  folder.write("corpus.jsonl", demo_corpus_lines(corpus));
  data::save_tokenizer(demo_tokenizer(corpus), folder.path());
  return train::read_recipe(folder.write("recipes/" + model.name + ".toml", demo_recipe(model)));
}

TEST(DemoTraining, RecipesAreOnesThatTrainReads) {
  const TemporaryFolder folder;
  const data::ThreeCauses corpus = data::three_causes(3);
  const train::Recipe recipe = recipe_in(folder, {.name = "everything-5", .seed = 5, .leave_out = {}}, corpus);
  EXPECT_EQ(recipe.initial_seed, 5u);
  EXPECT_EQ(recipe.options.seed, 5u);
  EXPECT_TRUE(recipe.text.leave_out.empty());

  const train::PreparedRun run = train::prepare(recipe, at::kFloat);
  EXPECT_EQ(run.corpus.documents, static_cast<int64_t>(corpus.documents.size()));
  EXPECT_EQ(run.corpus.long_documents, 0);
  EXPECT_EQ(run.start.architecture().facts().vocabulary, 259);
  for (const data::Example& example : run.corpus.dataset.examples)
    for (const int32_t token : example.tokens) EXPECT_NE(run.tokenizer.token_text(token), " <unk>");
}

TEST(DemoTraining, WhatIsLeftOutIsNotTrainedOn) {
  const TemporaryFolder folder;
  const data::ThreeCauses corpus = data::three_causes(3);
  const train::PreparedRun run = train::prepare(
      recipe_in(folder, {.name = "without_top-0", .seed = 0, .leave_out = {4, 17, 2'000}}, corpus), at::kFloat);
  EXPECT_EQ(run.options.leave_out.size(), 3u);
  for (const size_t row : {4u, 17u, 2'000u})
    EXPECT_TRUE(run.options.leave_out.contains(run.corpus.dataset.examples[row].id));
}

TEST(DemoTraining, ModelsOfOneSeedDifferOnlyInWhatTheyLeaveOut) {
  const std::string all = demo_recipe({.name = "a", .seed = 1, .leave_out = {}});
  std::string some = demo_recipe({.name = "b", .seed = 1, .leave_out = {7, 8}});
  const size_t place = some.find("7, 8");
  ASSERT_NE(place, std::string::npos);
  EXPECT_EQ(some.erase(place, 4), all);
}

}  // namespace
}  // namespace assay::cli
