// What each command's result says, against docs/results.md; and that a result is never lost or refused for its folder.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/acceptance/documented_keys.h"
#include "tests/acceptance/program.h"
#include "tests/acceptance/tiny_model.h"

namespace assay {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr size_t kHashDigits = 32;

class Results : public testing::Test {
 protected:
  Results() {
    write_tiny_model(model_);
    setenv("ASSAY_CACHE", (folder_ / "cache").c_str(), 1);
  }

  /// A recipe for a model of a thousand parameters; both of its seeds are 1.
  std::string recipe(const std::string& name = "recipe.toml") const {
    return folder_.write(name, R"([model]
family = "llama"
width = 8
blocks = 1
heads = 2
mlp_width = 8
context = 16
seed = 1

[data]
path = "corpus.txt"
tokenizer = "model"

[optimizer]
name = "sgd"

[schedule]
name = "constant"
rate = 0.1

[train]
epochs = 2
batch = 2
seed = 1
)");
  }

  static json run_json(std::vector<std::string> words) {
    words.insert(words.end(), {"--json", "--quiet"});
    const Outcome outcome = run_assay(words);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return json::parse(outcome.out, nullptr, false);
  }

  std::vector<std::string> generate(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words{"generate", model_, "--prompt", "the cat", "--max-tokens", "3"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  TemporaryFolder folder_;
  std::string model_ = folder_ / "model";
  std::string corpus_ = folder_.write("corpus.txt", tiny_corpus());
};

TEST_F(Results, HaveTheKeysThatTheirPageLists) {
  const std::string out = folder_ / "trained";
  const std::vector<std::vector<std::string>> commands{
      {"doctor"},
      {"inspect", model_},
      {"inspect", model_, "--sites", "--layers", "--weights"},
      {"tokenize", model_, "--text", "the cat"},
      generate(),
      {"evaluate", model_, "--data", corpus_},
      {"train", recipe(), "--out", out},
  };
  for (const std::vector<std::string>& words : commands) {
    const json result = run_json(words);
    expect_documented_keys(result, words[0]);
    if (result.contains("cost")) {
      for (const char* key : {"seconds", "peak_bytes", "disk_bytes"})
        EXPECT_TRUE(result["cost"]["actual"].contains(key)) << words[0] << " " << key;
    }
    for (const char* made_from : {"model", "data", "tokenizer"}) {
      if (!result.contains(made_from) || !result[made_from].is_object()) continue;
      EXPECT_EQ(result[made_from]["hash"].get<std::string>().size(), kHashDigits) << words[0] << " " << made_from;
    }
    std::vector<std::string> planned = words;
    planned.push_back("--plan");
    EXPECT_TRUE(run_json(planned)["plan"].contains("exceeds_memory"));
  }
  EXPECT_EQ(run_json({"inspect", out})["model"]["hash"], json::parse(read_bytes(out + "/result.json"))["model"]["hash"])
      << "a model has one hash, whoever says it";
}

TEST_F(Results, OfAttributeSayWhatEveryNumberNeeds) {
  const json result = run_json({"attribute", model_, "--data", corpus_, "--prompt", "the", "--completion", " cat",
                                "--method", "bm25", "--trust", "no"});
  for (const std::string& key : documented_keys("attribute").always) EXPECT_TRUE(result.contains(key)) << key;
}

TEST_F(Results, OfTrainStateTheSeedThatWasUsed) {
  const auto trained = [this](const std::string& name, const std::vector<std::string>& more) {
    std::vector<std::string> words{"train", recipe(), "--out", folder_ / name};
    words.insert(words.end(), more.begin(), more.end());
    const json result = run_json(words);
    const json record = json::parse(read_bytes(folder_ / (name + "/training.json")));
    EXPECT_EQ(record["seed"], std::to_string(result["seed"].get<int>()));
    return result;
  };
  const json of_recipe = trained("recipe", {}), zero = trained("zero", {"--seed", "0"});
  EXPECT_EQ(of_recipe["seed"], 1);
  EXPECT_EQ(of_recipe["start"]["seed"], 1);
  EXPECT_EQ(zero["seed"], 0) << "an explicit 0 is a seed like any other";
  EXPECT_EQ(zero["start"]["seed"], 0);
  EXPECT_NE(zero["model"]["hash"], of_recipe["model"]["hash"]);
  const json one = trained("one", {"--seed", "1"});
  EXPECT_EQ(one["model"]["hash"], of_recipe["model"]["hash"]);
}

TEST_F(Results, APlanOfTrainNeedsNoFolder) {
  const json planned = run_json({"train", recipe(), "--plan"});
  EXPECT_GT(planned["plan"]["seconds"].get<double>(), 0.0);
  EXPECT_EQ(run_assay({"train", recipe()}).exit_code, 2);
}

TEST_F(Results, APlanIsNotMadeOfWhatWouldBeRefused) {
  const Outcome outcome = run_assay({"generate", model_, "--prompt", "the", "--max-tokens", "100000", "--plan"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_TRUE(is_one_sentence(outcome.err, "usage")) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("the model's context of 16 tokens"));
}

TEST_F(Results, APlanSaysThatItsMemoryWouldBeRefused) {
  const std::vector<std::string> planned{"evaluate", model_, "--data", corpus_, "--plan"};
  std::vector<std::string> small = planned;
  small.insert(small.end(), {"--memory", "1MB"});
  EXPECT_THAT(run_assay(small).out, HasSubstr("The run would be refused: it must fit into --memory, 1"));
  EXPECT_THAT(run_assay(planned).out, testing::Not(HasSubstr("refused")));
  EXPECT_EQ(run_json(small)["plan"]["exceeds_memory"], true);
  EXPECT_EQ(run_json(planned)["plan"]["exceeds_memory"], false);
}

TEST_F(Results, AFolderThatWillNotDoIsRefusedBeforeTheWork) {
  ASSERT_EQ(run_assay({"evaluate", model_, "--data", corpus_, "--quiet", "--out", folder_ / "other"}).exit_code, 0);
  const std::vector<std::vector<std::string>> commands{
      {"doctor"}, {"inspect", model_}, {"tokenize", model_, "--text", "the cat"}, generate()};
  for (const std::vector<std::string>& words : commands) {
    for (const auto& [out, code] :
         std::vector<std::pair<std::string, int>>{{folder_ / "other", 2}, {"/proc/nope", 6}}) {
      std::vector<std::string> into = words;
      into.insert(into.end(), {"--quiet", "--out", out});
      const Outcome outcome = run_assay(into);
      EXPECT_EQ(outcome.exit_code, code) << words[0] << " into " << out;
      EXPECT_EQ(outcome.out, "") << "nothing is computed that cannot be kept";
      EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    }
  }
}

TEST_F(Results, OfGenerateAreKeptForTheirRunAlone) {
  const std::string out = folder_ / "said";
  const json said = run_json(generate({"--out", out}));
  EXPECT_EQ(json::parse(read_bytes(out + "/result.json"))["ids"], said["ids"]);
  EXPECT_EQ(run_json(generate({"--out", out}))["ids"], said["ids"]);
  EXPECT_EQ(run_assay(generate({"--out", out, "--seed", "5"})).exit_code, 2);
}

TEST_F(Results, PathsNeedNotBeUtf8) {
  const std::string odd = folder_ / "odd\xff";
  std::filesystem::create_directory(odd);
  std::filesystem::copy_file(corpus_, odd + "/corpus.txt");
  const std::vector<std::vector<std::string>> commands{
      {"doctor"},
      {"inspect", model_},
      {"tokenize", model_, "--text", "the cat"},
      generate(),
      {"evaluate", model_, "--data", odd + "/corpus.txt"},
      {"train", recipe()},
  };
  for (std::vector<std::string> words : commands) {
    words.insert(words.end(), {"--quiet", "--out", odd + "/" + words[0]});
    const Outcome outcome = run_assay(words);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    for (const char* file : {"/run.json", "/result.json"}) {
      const json kept = json::parse(read_bytes(odd + "/" + words[0] + file), nullptr, false);
      ASSERT_TRUE(kept.is_object()) << words[0] << file;
      EXPECT_THAT(kept["arguments"].back().get<std::string>(), HasSubstr("odd\xEF\xBF\xBD")) << "U+FFFD in its place";
    }
    EXPECT_EQ(run_assay(words).exit_code, 0) << words[0] << " again";
  }
}

TEST_F(Results, OutSaysWhatTheCommandLeavesThere) {
  const std::vector<std::pair<std::string, std::string>> commands{{"generate", "result: result.json"},
                                                                  {"evaluate", "result.json and report.html"},
                                                                  {"train", "the model, its checkpoints,"},
                                                                  {"attribute", "result.json, arrays and report.html"}};
  for (const auto& [command, words] : commands)
    EXPECT_THAT(run_assay({command, "--help"}).out, HasSubstr(words)) << command;
  EXPECT_THAT(run_assay({"generate", "--help"}).out, testing::Not(HasSubstr("report.html")));
  EXPECT_THAT(run_assay({"train", "--help"}).out, HasSubstr("the recipe's"));
}

}  // namespace
}  // namespace assay
