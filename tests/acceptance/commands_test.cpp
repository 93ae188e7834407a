// The commands on a tiny model: what they print, what they refuse, what they keep.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/acceptance/program.h"
#include "tests/acceptance/tiny_model.h"

namespace assay {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class Commands : public testing::Test {
 protected:
  Commands() {
    write_tiny_model(model_);
    setenv("ASSAY_CACHE", (folder_ / "cache").c_str(), 1);
  }

  Outcome evaluate(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"evaluate", model_, "--data", corpus_, "--quiet"});
    return run_assay(more);
  }

  TemporaryFolder folder_;
  std::string model_ = folder_ / "model";
  std::string corpus_ = folder_.write("corpus.txt", tiny_corpus());
};

TEST_F(Commands, DoctorMeasuresTheMachine) {
  const Outcome outcome = run_assay({"doctor", "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const json found = json::parse(outcome.out);
  EXPECT_GT(found["ceilings"]["flops_per_second_fp32"].get<double>(), 1e8);
  EXPECT_GT(found["ceilings"]["bytes_per_second"].get<double>(), 1e8);
  EXPECT_GE(found["cores"]["granted"].get<int>(), 1);
  EXPECT_TRUE(found.contains("missing"));
  EXPECT_EQ(run_assay({"doctor", "--clear-cache"}).exit_code, 0);
}

TEST_F(Commands, InspectNamesEveryPart) {
  const json found = json::parse(run_assay({"inspect", model_, "--json", "--layers", "--sites", "--weights"}).out);
  EXPECT_EQ(found["facts"]["family"], "llama");
  EXPECT_EQ(found["facts"]["blocks"], 2);
  EXPECT_EQ(found["layers"][0]["name"], "blocks.0.attn.q");
  EXPECT_GT(found["sites"].size(), 10u);
  EXPECT_EQ(found["sites"][1],
            json::parse(R"({"name": "blocks.0.hook_resid_pre", "shape": "B,T,D", "pyvene": "block_input",
                            "transformerlens3": "blocks.0.hook_in", "nnsight": "model.layers.0.input"})"));
  EXPECT_GT(found["weights"][0]["norm"].get<double>(), 0.0);
  EXPECT_EQ(found["weights"][0]["type"], "F32");
  const Outcome page = run_assay({"inspect", model_, "--layers", "--weights"});
  EXPECT_THAT(page.out, HasSubstr("   type        norm\n"));
  EXPECT_THAT(page.out, HasSubstr(" 8 × 16    F32 "));
  EXPECT_THAT(page.out, HasSubstr("2 of width 16"));
  EXPECT_THAT(page.out, HasSubstr("blocks.1.mlp.down"));
}

TEST_F(Commands, TokenizeGivesIdsAndTokens) {
  const json found = json::parse(run_assay({"tokenize", model_, "--text", "the cat sat", "--json"}).out);
  EXPECT_EQ(found["ids"], json({1, 2, 4}));
  EXPECT_EQ(found["tokens"].size(), 3u);
  EXPECT_EQ(json::parse(run_assay({"tokenize", model_, "--text", "-", "--json"}, {.input = "the cat sat"}).out)["ids"],
            found["ids"]);
}

TEST_F(Commands, GenerateIsTheSameForTheSameSeed) {
  const std::vector<std::string> arguments{"generate",      model_, "--prompt", "the cat", "--max-tokens", "5",
                                           "--temperature", "1",    "--seed",   "3",       "--quiet"};
  const Outcome first = run_assay(arguments);
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_EQ(first.err, "");
  EXPECT_EQ(run_assay(arguments).out, first.out);
}

TEST_F(Commands, GenerateRefusesWhatDoesNotFit) {
  EXPECT_EQ(run_assay({"generate", model_, "--prompt", "the", "--max-tokens", "99"}).exit_code, 2);
  const Outcome chat = run_assay({"generate", model_, "--prompt", "the", "--chat"});
  EXPECT_EQ(chat.exit_code, 4);
  EXPECT_TRUE(is_one_sentence(chat.err, "model")) << chat.err;
  EXPECT_EQ(run_assay({"generate", model_, "--prompt", ""}).exit_code, 3);
}

// A begin token changes what a model says: what is done about it can be asked for, and is told.
TEST_F(Commands, GenerateSaysWhetherABeginTokenIsPut) {
  const auto say = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words{"generate", model_, "--prompt", "the cat", "--max-tokens", "2"};
    words.insert(words.end(), more.begin(), more.end());
    return run_assay(words);
  };
  EXPECT_THAT(say({}).err, HasSubstr("2 tokens; BOS: the tokenizer's files put nothing before a text"));
  EXPECT_THAT(say({"--bos", "no"}).err, HasSubstr("BOS: asked not to"));
  const Outcome lacking = say({"--bos", "yes"});
  EXPECT_EQ(lacking.exit_code, 2) << lacking.err;
  const Outcome twice = say({"--chat", "--bos", "no"});
  EXPECT_EQ(twice.exit_code, 2);
  EXPECT_THAT(twice.err, HasSubstr("with --chat the template says how a text begins"));
  folder_.write("texts.txt", "the cat sat<|endoftext|>the dog ran");
  EXPECT_THAT(run_assay({"evaluate", model_, "--data", folder_ / "texts.txt"}).err,
              HasSubstr("BOS: the tokenizer's files put nothing before a text"));
}

TEST_F(Commands, EvaluateSumsTheLossesOfItsExamples) {
  const Outcome outcome = evaluate({"--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const json found = json::parse(outcome.out);
  ASSERT_EQ(found["examples"].size(), 3u);  // the empty piece is dropped
  double sum = 0;
  for (const json& example : found["examples"]) sum += example["loss"].get<double>();
  EXPECT_NEAR(found["loss"].get<double>(), sum, 1e-9 * sum);
  const double per_target = sum / found["targets"].get<double>();
  EXPECT_NEAR(found["perplexity"].get<double>(), std::exp(per_target), 1e-9 * std::exp(per_target));
  EXPECT_GT(found["cost"]["planned"]["seconds"].get<double>(), 0.0);
}

TEST_F(Commands, ThePlanStopsBeforeAnythingIsWritten) {
  const Outcome outcome = evaluate({"--plan", "--out", folder_ / "result"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("evaluate"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "result"));
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"inspect", model_},
                                             {"tokenize", model_, "--text", "t"},
                                             {"generate", model_, "--prompt", "the", "--max-tokens", "2"},
                                             {"doctor"}}) {
    std::vector<std::string> with_plan = arguments;
    with_plan.insert(with_plan.end(), {"--plan", "--json"});
    const Outcome planned = run_assay(with_plan);
    ASSERT_EQ(planned.exit_code, 0) << planned.err;
    EXPECT_GT(json::parse(planned.out)["plan"]["seconds"].get<double>(), 0.0) << arguments[0];
  }
}

TEST_F(Commands, WhatExceedsTheGivenMemoryIsRefusedBeforeItBegins) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"inspect", model_},
                                             {"generate", model_, "--prompt", "the", "--max-tokens", "2"},
                                             {"evaluate", model_, "--data", corpus_, "--out", folder_ / "result"},
                                             {"attribute", model_, "--data", corpus_, "--prompt", "the", "--completion",
                                              " cat", "--out", folder_ / "result"}}) {
    std::vector<std::string> small = arguments;
    small.insert(small.end(), {"--memory", "1MB", "--quiet"});
    const Outcome outcome = run_assay(small);
    EXPECT_EQ(outcome.exit_code, 6) << arguments[0];
    EXPECT_TRUE(is_one_sentence(outcome.err, "resource")) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("it must fit into --memory, 1"));
    EXPECT_FALSE(std::filesystem::exists(folder_ / "result"));
    small.push_back("--plan");
    EXPECT_EQ(run_assay(small).exit_code, 0) << "a plan may be looked at";
  }
}

TEST_F(Commands, ALocaleWithDecimalCommasChangesNothing) {
  const std::string plain = evaluate({"--json", "--threads", "1"}).out;
  const std::string compiled = folder_ / "de_DE.UTF-8";
  ASSERT_EQ(std::system(("localedef -i de_DE -f UTF-8 " + compiled + " >/dev/null 2>&1").c_str()), 0)
      << "C compared with C would show nothing; Debian's package locales brings localedef and what it reads";
  const std::string point = "LOCPATH=" + folder_.path() + " LC_ALL=de_DE.UTF-8 locale decimal_point";
  ASSERT_EQ(std::system(("test \"$(" + point + ")\" = ,").c_str()), 0) << "the compiled locale must be found";
  const Surroundings german{.environment = {{"LC_ALL", "de_DE.UTF-8"}, {"LOCPATH", folder_.path()}}};
  const Outcome outcome =
      run_assay({"evaluate", model_, "--data", corpus_, "--quiet", "--json", "--threads", "1"}, german);
  EXPECT_EQ(json::parse(outcome.out)["loss"], json::parse(plain)["loss"]);
  EXPECT_EQ(
      run_assay({"generate", model_, "--prompt", "the", "--max-tokens", "2", "--temperature", "0.5"}, german).exit_code,
      0);
}

TEST_F(Commands, AResultFolderBelongsToOneRun) {
  const std::string out = folder_ / "result";
  ASSERT_EQ(evaluate({"--out", out}).exit_code, 0);
  const std::string first = read_bytes(out + "/result.json");
  EXPECT_EQ(json::parse(first)["command"], "evaluate");
  EXPECT_EQ(evaluate({"--out", out}).exit_code, 0) << "the same run again is welcome";

  const Outcome other = evaluate({"--out", out, "--limit", "1"});
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_TRUE(is_one_sentence(other.err, "usage")) << other.err;
  EXPECT_THAT(other.err, HasSubstr("--force"));
  EXPECT_EQ(json::parse(read_bytes(out + "/result.json"))["loss"], json::parse(first)["loss"]);
  EXPECT_EQ(evaluate({"--out", out, "--limit", "1", "--force"}).exit_code, 0);
  EXPECT_EQ(json::parse(read_bytes(out + "/result.json"))["examples"].size(), 1u);
}

TEST_F(Commands, AFolderWithOtherFilesIsNeverTouched) {
  const std::string thesis = folder_.write("papers/thesis.txt", "irreplaceable");
  const Outcome outcome = evaluate({"--out", folder_ / "papers", "--force"});
  EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
  EXPECT_EQ(read_bytes(thesis), "irreplaceable");
}

TEST_F(Commands, ADamagedRunIsNamedAndNeverTouched) {
  const std::string run = folder_.write("result/run.json", "{\"identity\": ");
  for (const bool force : {false, true}) {
    std::vector<std::string> words{"--out", folder_ / "result"};
    if (force) words.emplace_back("--force");
    const Outcome outcome = evaluate(words);
    EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("its run.json must name the run that it belongs to, but it is damaged; choose"));
  }
  EXPECT_EQ(read_bytes(run), "{\"identity\": ");
  std::string deep(200'000, '[');
  folder_.write("result/run.json", deep + std::string(200'000, ']'));
  EXPECT_THAT(evaluate({"--out", folder_ / "result"}).err, HasSubstr("but it is damaged"));
}

TEST_F(Commands, ASecondProcessOnOneResultFolderSaysSo) {
  std::filesystem::create_directory(folder_ / "result");
  const int lock = open((folder_ / "result/.lock").c_str(), O_CREAT | O_RDWR, 0600);
  ASSERT_EQ(flock(lock, LOCK_EX), 0);
  const Outcome outcome = evaluate({"--out", folder_ / "result"});
  close(lock);
  EXPECT_EQ(outcome.exit_code, 6);
  EXPECT_THAT(outcome.err, HasSubstr("another assay is writing now"));
}

TEST_F(Commands, AnOutputThatCannotBeMadeIsOneSentence) {
  const Outcome outcome = evaluate({"--out", "/proc/nothing/here"});
  EXPECT_EQ(outcome.exit_code, 6);
  EXPECT_TRUE(is_one_sentence(outcome.err, "resource")) << outcome.err;
}

}  // namespace
}  // namespace assay
