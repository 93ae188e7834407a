#include "assay/train/recipe.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "assay/core/error.h"
#include "assay/train/run.h"

namespace assay::train {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRecipe = R"([model]
family = "llama"
width = 16
blocks = 2
heads = 2
mlp_width = 24
context = 12

[data]
path = "corpus.txt"
tokenizer = "words"
separator = "\n"
leave_out = [1]

[optimizer]
name = "adamw"
weight_decay = 0.1

[schedule]
name = "cosine"
rate = 1e-2
warmup_steps = 2

[train]
epochs = 3
batch = 2
seed = 4
)";

class RecipeFile : public testing::Test {
 protected:
  RecipeFile() {
    folder_ = fs::temp_directory_path() / ("assay_recipe_" + std::to_string(getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    write("corpus.txt", "a b c a b\nb c a\nc a b c\na c b\nb b a c\n");
    data::save_tokenizer(data::word_level_tokenizer({"<unk>", "a", "b", "c"}, "<unk>"), (folder_ / "words").string());
  }
  ~RecipeFile() override { fs::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }

  /// The message with which a recipe is refused, in which `before` is replaced.
  std::string refusal(const std::string& before, const std::string& after) const {
    std::string text = kRecipe;
    text.replace(text.find(before), before.size(), after);
    try {
      prepare(read_recipe(write("bad.toml", text)), at::kFloat);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Usage) << error.what();
      return error.what();
    }
    return "accepted";
  }

  fs::path folder_;
};

TEST_F(RecipeFile, BuildsModelCorpusAndOptions) {
  const Recipe recipe = read_recipe(write("recipe.toml", kRecipe));
  const PreparedRun run = prepare(recipe, at::kFloat);
  EXPECT_EQ(run.start.architecture().facts().vocabulary, 4);
  EXPECT_EQ(run.start.architecture().facts().width, 16);
  EXPECT_EQ(run.corpus.dataset.size(), 5);
  EXPECT_EQ(run.options.optimizer.weight_decay, 0.1);
  EXPECT_EQ(run.options.schedule.rate, 1e-2);
  EXPECT_EQ(run.options.seed, 4u);
  ASSERT_EQ(run.options.leave_out.size(), 1u);
  EXPECT_TRUE(run.options.leave_out.contains(run.corpus.dataset.examples[1].id));
  EXPECT_EQ(run.options.checkpoint_every, 1);  // 6 steps, ten checkpoints asked for
}

TEST_F(RecipeFile, InBf16IsRefused) {
  try {
    prepare(read_recipe(write("recipe.toml", kRecipe)), at::kBFloat16);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Usage);
    EXPECT_NE(std::string(error.what()).find("small steps are lost in the 8 bits of bf16"), std::string::npos);
  }
}

TEST_F(RecipeFile, TrainsFromAnEarlierCheckpointWithItsTokenizer) {
  const Recipe first = read_recipe(write("first.toml", kRecipe));
  const PreparedRun run = prepare(first, at::kFloat);
  Trainer trainer(run.start, run.corpus.dataset, run.options);
  const RunOutcome outcome = run_in_folder(trainer, (folder_ / "model").string());
  data::save_tokenizer(run.tokenizer, (folder_ / "model").string());
  const PreparedRun second = prepare(read_recipe(write("second.toml",
                                                       "[model]\nfrom = \"model\"\n[data]\npath = \"corpus.txt\"\n"
                                                       "[schedule]\nrate = 1e-3\n[train]\nsteps = 2\n")),
                                     at::kFloat);
  EXPECT_EQ(second.start.parameters().hash(), outcome.model.parameters().hash());
  EXPECT_EQ(second.options.steps, 2);
  EXPECT_TRUE(second.options.leave_out.empty());
}

TEST_F(RecipeFile, RefusesWhatItDoesNotKnowByNameAndLine) {
  const std::string unknown = refusal("mlp_width = 24", "mlp_width = 24\nmlp_with = 3");
  EXPECT_NE(unknown.find("mlp_with"), std::string::npos) << unknown;
  EXPECT_NE(unknown.find("mlp_width"), std::string::npos) << unknown;
  EXPECT_NE(refusal("\"cosine\"", "\"cosin\"").find("cosine"), std::string::npos);
  EXPECT_NE(refusal("rate = 1e-2", "").find("rate"), std::string::npos);
  EXPECT_NE(refusal("epochs = 3", "epochs = 3\nsteps = 9").find("steps"), std::string::npos);
  EXPECT_NE(refusal("batch = 2", "batch = 0").find("batch"), std::string::npos);
  EXPECT_NE(refusal("leave_out = [1]", "leave_out = [7]").find("leave_out"), std::string::npos);
  EXPECT_NE(refusal("tokenizer = \"words\"", "").find("tokenizer"), std::string::npos);
  EXPECT_NE(refusal("rate = 1e-2", "rate = -1").find("; correct the recipe"), std::string::npos);
  EXPECT_NE(refusal("width = 16", "width = 17").find("; correct [model] in the recipe"), std::string::npos);
  EXPECT_NE(refusal("weight_decay = 0.1", "weight_decay = 0.1\nmomentum = 0.9").find("momentum"), std::string::npos);
}

}  // namespace
}  // namespace assay::train
