// `assay tokenize --data` and what reads its shards: the same results as from the text, to the bit; plans, resumption
// after a kill; and everything that does not fit refused by its name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/acceptance/program.h"
#include "tests/acceptance/tiny_model.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class TokenShards : public testing::Test {
 protected:
  TokenShards() { write_tiny_model(model_); }

  Outcome run(std::vector<std::string> words, const std::string& input = "") const {
    words.insert(words.end(), {"--threads", "2"});
    return run_assay(words, {.environment = {{"ASSAY_CACHE", folder_ / "cache"}}, .input = input});
  }
  std::vector<std::string> tokenize(const std::string& out, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words{"tokenize", model_, "--data", corpus_, "--out", folder_ / out};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  json run_json(std::vector<std::string> words) const {
    words.insert(words.end(), {"--json", "--quiet"});
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return json::parse(outcome.out, nullptr, false);
  }
  void expect_refused(const Outcome& outcome, int exit_code, const std::string& kind, const std::string& words) const {
    EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
    EXPECT_TRUE(is_one_sentence(outcome.err, kind)) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(words));
    EXPECT_EQ(outcome.out, "");
  }
  std::vector<std::string> attribute(const std::string& data, const std::string& method) const {
    return {"attribute", model_,    "--data", data,    "--prompt", "the cat",  "--completion",
            " sat",      "--trust", "no",     "--top", "3",        "--method", method};
  }

  TemporaryFolder folder_;
  std::string model_ = folder_ / "model";
  std::string corpus_ = folder_.write("corpus.txt", tiny_corpus_of(300));
};

TEST_F(TokenShards, EveryCommandFindsInThemWhatItFindsInTheText) {
  const json made = run_json(tokenize("tokens"));
  EXPECT_EQ(made["data"]["documents"], 300);
  EXPECT_EQ(made["data"]["tokens"], 4800);
  EXPECT_EQ(made["data"]["corpus"]["files"][0]["path"], corpus_);
  EXPECT_EQ(made["data"]["corpus"]["context"], 16);
  EXPECT_EQ(made["shards"]["count"], 1);
  const std::string tokens = folder_ / "tokens";

  const auto same_data = [](json a, json b) {
    for (json* each : {&a, &b}) (*each)["corpus"] = (*each)["corpus"]["hash"];
    return a == b;
  };
  json text = run_json({"evaluate", model_, "--data", corpus_}),
       shards = run_json({"evaluate", model_, "--data", tokens});
  EXPECT_EQ(shards["examples"], text["examples"]);
  EXPECT_EQ(shards["loss"], text["loss"]);
  EXPECT_TRUE(same_data(shards["data"], text["data"])) << shards["data"] << text["data"];
  EXPECT_EQ(shards["data"]["corpus"]["shards"], tokens + "/shards");
  for (const std::string method : {"identity", "bm25", "bm25(unit=tokens)", "random"}) {
    text = run_json(attribute(corpus_, method));
    shards = run_json(attribute(tokens + "/shards", method));
    EXPECT_EQ(shards["queries"], text["queries"]) << method;
    EXPECT_TRUE(same_data(shards["data"], text["data"])) << method;
  }
  const Outcome table = run(attribute(tokens, "bm25")), of_text = run(attribute(corpus_, "bm25"));
  EXPECT_EQ(table.out, of_text.out) << "with the texts of the documents that are shown";
  EXPECT_THAT(table.err, HasSubstr("from token shards"));
  EXPECT_EQ(run_json({"evaluate", model_, "--data", tokens, "--limit", "7"})["loss"],
            run_json({"evaluate", model_, "--data", corpus_, "--limit", "7"})["loss"]);
}

TEST_F(TokenShards, ARecipeTrainsOnThemToTheSameBits) {
  ASSERT_EQ(run(tokenize("tokens", {"--quiet"})).exit_code, 0);
  const auto trained = [&](const std::string& name, const std::string& data) {
    const std::string recipe =
        folder_.write(name + ".toml", "[model]\nfrom = \"model\"\n[data]\npath = \"" + data +
                                          "\"\nleave_out = [3]\n[schedule]\nrate = 1e-2\n[train]\nsteps = 3\n");
    return run_json({"train", recipe, "--out", folder_ / name});
  };
  const json text = trained("of_text", "corpus.txt"), shards = trained("of_shards", "tokens");
  EXPECT_EQ(shards["model"]["hash"], text["model"]["hash"]);
  EXPECT_EQ(shards["data"]["hash"], text["data"]["hash"]);
  EXPECT_EQ(shards["training"]["corpus"], text["training"]["corpus"]);
}

TEST_F(TokenShards, APlanSaysWhatItWillTakeAndMakesNothing) {
  const Outcome plan = run(tokenize("tokens", {"--plan"}));
  EXPECT_EQ(plan.exit_code, 0) << plan.err;
  EXPECT_THAT(plan.out, HasSubstr("tokenize"));
  EXPECT_FALSE(fs::exists(folder_ / "tokens"));
  const json planned = run_json({"tokenize", model_, "--data", corpus_, "--plan"})["plan"];
  const json made = run_json(tokenize("tokens"));
  EXPECT_NEAR(planned["disk_bytes"].get<double>(), made["shards"]["bytes"].get<double>(), 5000) << "but the manifest";
  EXPECT_GT(planned["peak_bytes"].get<double>(), 1e6);
  expect_refused(run(tokenize("other", {"--memory", "1MB", "--quiet"})), 6, "resource", "must fit into --memory");
}

TEST_F(TokenShards, KilledTheSameCommandGoesOn) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += tiny_corpus_of(5000 + i);
  folder_.write("corpus.txt", text);  // 13 MB and 3.2 million tokens: seconds, and one shard of eight million
  Running first(tokenize("killed", {"--quiet"}));
  ASSERT_TRUE(first.wait_until([&] { return fs::exists(folder_ / "killed/shards/manifest.json"); }));
  first.signal(SIGKILL);
  ASSERT_EQ(first.wait().exit_code, 128 + SIGKILL);
  ASSERT_FALSE(fs::exists(folder_ / "killed/result.json"));
  expect_refused(run({"evaluate", model_, "--data", folder_ / "killed", "--quiet"}), 3, "data", "must be finished");
  ASSERT_EQ(run(tokenize("killed")).exit_code, 0);
  ASSERT_EQ(run(tokenize("whole")).exit_code, 0);
  for (const char* file : {"shards/manifest.json", "shards/shard-000000.safetensors"})
    EXPECT_EQ(read_bytes(folder_ / (std::string("killed/") + file)),
              read_bytes(folder_ / (std::string("whole/") + file)));
  const Outcome again = run(tokenize("whole"));
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.out, HasSubstr("nothing was done"));
}

TEST_F(TokenShards, WhatDoesNotFitIsRefusedByName) {
  ASSERT_EQ(run(tokenize("tokens", {"--quiet", "--context", "12"})).exit_code, 0);
  const auto evaluate = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words{"evaluate", model_, "--data", folder_ / "tokens", "--quiet"};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  };
  EXPECT_EQ(evaluate({}).exit_code, 0) << "their context holds where none is asked for";
  expect_refused(evaluate({"--context", "16"}), 3, "data",
                 "a context of 16 tokens, but they were tokenized for one of 12");
  expect_refused(evaluate({"--long", "split"}), 3, "data", "--long cut");
  expect_refused(evaluate({"--field", "story"}), 2, "usage",
                 "the field must be what their corpus was read by, \"text\"");
  expect_refused(evaluate({"--separator", "#"}), 2, "usage", "the separator must be");
  expect_refused(run({"tokenize", model_, "--data", folder_ / "tokens", "--out", folder_ / "twice"}), 2, "usage",
                 "these are token shards already");
  ASSERT_EQ(
      run({"tokenize", model_, "--data", corpus_, "--out", folder_ / "wide", "--context", "64", "--quiet"}).exit_code,
      0);
  expect_refused(run({"evaluate", model_, "--data", folder_ / "wide", "--quiet"}), 3, "data",
                 "must be within the model's 16 tokens, but they were made for one of 64");
  data::save_tokenizer(data::word_level_tokenizer({"<unk>", "the", "dog", "cat", "sat", "on", "mat", "ran"}, "<unk>"),
                       model_);
  expect_refused(evaluate({}), 3, "data", "made with the model's own tokenizer");
}

TEST_F(TokenShards, DamageAndChangesAreRefusedByName) {
  ASSERT_EQ(run(tokenize("tokens", {"--quiet"})).exit_code, 0);
  const std::string shard = folder_ / "tokens/shards/shard-000000.safetensors", bytes = read_bytes(shard);
  const std::vector<std::string> words{"evaluate", model_, "--data", folder_ / "tokens", "--quiet"};
  std::string flipped = bytes;
  flipped[bytes.size() - 10] = static_cast<char>(flipped[bytes.size() - 10] ^ 4);
  folder_.write("tokens/shards/shard-000000.safetensors", flipped);
  expect_refused(run(words), 3, "data", "shard-000000.safetensors");
  expect_refused(run(tokenize("tokens", {"--quiet"})), 3, "data", "shard-000000.safetensors");
  folder_.write("tokens/shards/shard-000000.safetensors", bytes.substr(0, 1000));
  expect_refused(run(words), 3, "data", "shard-000000");
  folder_.write("tokens/shards/shard-000000.safetensors", bytes);
  EXPECT_EQ(run(words).exit_code, 0);
  folder_.write("corpus.txt", read_bytes(corpus_) + " the cat");
  expect_refused(run(words), 3, "data", corpus_ + "\": the file must be the one that was tokenized");
  expect_refused(run(tokenize("tokens", {"--quiet"})), 3, "data", corpus_);
  EXPECT_EQ(run(tokenize("tokens", {"--quiet", "--force"})).exit_code, 0);
  EXPECT_EQ(run(words).exit_code, 0);
}

TEST_F(TokenShards, TheCommandSaysWhatItNeeds) {
  expect_refused(run({"tokenize", model_}), 2, "usage", "it takes --text TEXT or --data PATH, but neither is given");
  expect_refused(run({"tokenize", model_, "--text", "the", "--data", corpus_}), 2, "usage", "but both are given");
  expect_refused(run({"tokenize", model_, "--data", corpus_}), 2, "usage", "add --out DIR");
  expect_refused(run({"tokenize", model_, "--text", "the", "--limit", "3"}), 2, "usage", "are for --data");
  expect_refused(run({"tokenize", model_ + "/tokenizer.json", "--data", corpus_, "--out", folder_ / "tokens"}), 2,
                 "usage", "add --context N");
  EXPECT_EQ(run_json({"tokenize", model_ + "/tokenizer.json", "--data", corpus_, "--out", folder_ / "tokens",
                      "--context", "16"})["data"]["hash"],
            run_json(tokenize("others"))["data"]["hash"]);
  expect_refused(run({"tokenize", model_, "--data", folder_ / "absent.txt", "--out", folder_ / "none", "--quiet"}), 3,
                 "data", "there is none of this name");
  fs::create_directory(folder_ / "texts");
  expect_refused(run({"tokenize", model_, "--data", folder_ / "texts", "--out", folder_ / "texts/tokens", "--quiet"}), 2,
                 "usage", "must lie outside the folder of --data");
  EXPECT_EQ(run_json({"tokenize", model_, "--text", ""})["ids"], json::array()) << "an empty text is a text";
}

TEST_F(TokenShards, StandardInputAndFoldersAreTokenizedToo) {
  folder_.write("mixed/a.txt", "the cat<|endoftext|>the dog ran");
  folder_.write("mixed/b.jsonl", "{\"text\": \"the mat\"}\n");
  folder_.write("mixed/.hidden", "never");
  const Outcome mixed = run({"tokenize", model_, "--data", folder_ / "mixed", "--out", folder_ / "of_folder"});
  EXPECT_EQ(mixed.exit_code, 0) << mixed.err;
  EXPECT_THAT(mixed.out, HasSubstr("3 documents, 7 tokens in 1 shard"));
  EXPECT_THAT(mixed.err, HasSubstr("passed over .hidden (hidden)"));
  const Outcome piped =
      run({"tokenize", model_, "--data", "-", "--out", folder_ / "piped"}, "the cat<|endoftext|>the dog ran");
  EXPECT_EQ(piped.exit_code, 0) << piped.err;
  const Outcome read = run({"evaluate", model_, "--data", folder_ / "piped"});
  EXPECT_EQ(read.exit_code, 0) << read.err;
  EXPECT_THAT(read.err, HasSubstr("texts are told by their tokens"));
  const std::string odd = folder_ / "odd\xff";
  fs::create_directory(odd);
  fs::copy_file(corpus_, odd + "/corpus.txt");
  EXPECT_EQ(run({"tokenize", model_, "--data", odd, "--out", folder_ / "odd\xfe", "--quiet"}).exit_code, 0);
  EXPECT_EQ(run_json({"evaluate", model_, "--data", folder_ / "odd\xfe"})["loss"],
            run_json({"evaluate", model_, "--data", corpus_})["loss"])
      << "a path need not be UTF-8";
  const Outcome straight = run({"evaluate", model_, "--data", folder_ / "mixed"});
  EXPECT_THAT(straight.err, HasSubstr("passed over .hidden (hidden)"));
}

}  // namespace
}  // namespace assay
