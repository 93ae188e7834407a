// `assay index` and `assay attribute --store` on a tiny model: made, asked, killed, added to, refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "tests/acceptance/documented_keys.h"
#include "tests/acceptance/program.h"
#include "tests/acceptance/tiny_model.h"

namespace assay {
namespace {

using nlohmann::json;
using testing::AnyOf;
using testing::HasSubstr;

class Index : public testing::Test {
 protected:
  explicit Index(int documents = 40) : corpus_(folder_.write("corpus.txt", tiny_corpus_of(documents))) {
    write_tiny_model(model_);
    setenv("ASSAY_CACHE", (folder_ / "cache").c_str(), 1);
  }

  std::vector<std::string> index(const std::string& name, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words{"index", model_, "--out", folder_ / name, "--rank", "4", "--threads", "1"};
    if (std::ranges::find(more, "--data") == more.end()) words.insert(words.end(), {"--data", corpus_});
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  std::vector<std::string> ask(const std::string& name, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words{"attribute",    model_, "--store", folder_ / name, "--prompt", "the cat",
                                   "--completion", " sat", "--quiet", "--threads",    "1"};
    if (std::ranges::find(more, "--trust") == more.end()) words.insert(words.end(), {"--trust", "no"});
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  static json run_json(std::vector<std::string> words) {
    words.push_back("--json");
    const Outcome outcome = run_assay(words);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return json::parse(outcome.out, nullptr, false);
  }
  static void refused(const std::vector<std::string>& words, int code, const std::string& kind,
                      const std::string& said) {
    const Outcome outcome = run_assay(words);
    EXPECT_EQ(outcome.exit_code, code) << outcome.err;
    EXPECT_TRUE(is_one_sentence(outcome.err, kind)) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(said));
  }
  /// Bytes of all blocks, by name.
  std::map<std::string, std::string> blocks(const std::string& name) const {
    std::map<std::string, std::string> bytes;
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / name)) {
      const std::string file = entry.path().filename().string();
      if (file.ends_with(".safetensors")) bytes[file] = read_bytes(entry.path().string());
    }
    return bytes;
  }

  TemporaryFolder folder_;
  std::string model_ = folder_ / "model";
  std::string corpus_;
};

TEST_F(Index, IsMadeAndAsked) {
  const json made = run_json(index("index", {"--quiet"}));
  expect_documented_keys(made, "index");
  EXPECT_EQ(made["index"]["rows"], 40);
  EXPECT_EQ(made["index"]["columns"], 14 * 16);
  EXPECT_EQ(made["layers"].size(), 14u);
  EXPECT_GT(made["cost"]["planned"]["seconds"].get<double>(), 0.0);
  EXPECT_EQ(json::parse(read_bytes(folder_ / "index/result.json"))["index"], made["index"]);

  const json found = run_json(ask("index", {"--out", folder_ / "result", "--trust", "yes"}));
  EXPECT_EQ(found["method"], "logra(mode=dot,damping=0.1)");
  EXPECT_EQ(found["store"]["rows"], 40);
  EXPECT_EQ(found["store"]["projection"], "random");
  EXPECT_EQ(found["data"]["documents"], 40);
  EXPECT_GT(found["queries"][0]["top"].size(), 3u);
  EXPECT_TRUE(found["queries"][0]["trust"].contains("difference"));
  const std::string page = read_bytes(folder_ / "result/report.html");
  EXPECT_THAT(page, HasSubstr(found["store"]["hash"].get<std::string>()));
  EXPECT_THAT(page, HasSubstr("random projection of rank 4"));
  const std::string arrays = read_bytes(folder_ / "result/scores.safetensors");
  EXPECT_THAT(arrays, HasSubstr("top_rows"));
  EXPECT_THAT(arrays, testing::Not(HasSubstr("\"scores\"")));
  const Outcome table = run_assay(ask("index"));
  EXPECT_THAT(table.out, HasSubstr("influence within the projection"));
}

TEST_F(Index, GivesEveryScoreWhereItIsAsked) {
  run_json(index("index", {"--quiet"}));
  const std::string out = folder_ / "all";
  run_json(ask("index", {"--out", out, "--all-scores", "--self", "--per-layer", "--layer-groups",
                         "attention=blocks.*.attn.*;mlp=blocks.*.mlp.*"}));
  const std::string arrays = read_bytes(out + "/scores.safetensors");
  EXPECT_THAT(arrays, HasSubstr(R"("scores":{"dtype":"F32","shape":[1,40])"));
  EXPECT_THAT(arrays, HasSubstr(R"("self_influence":{"dtype":"F32","shape":[40])"));
  EXPECT_THAT(arrays, HasSubstr(R"("per_layer":{"dtype":"F32","shape":[14,1,40])"));
  EXPECT_THAT(arrays, HasSubstr(R"("by_layers_rows":{"dtype":"I64","shape":[2,1,)"));
  const json found = json::parse(read_bytes(out + "/result.json"));
  EXPECT_EQ(found["store"]["layer_groups"][0]["layers"].size(), 8u);
  EXPECT_TRUE(found["queries"][0]["by_layers"].contains("mlp"));
}

// The told order is EK-FAC's: what was scored again has the scores of a run without an index.
TEST_F(Index, ScoresTheStrongestAgain) {
  run_json(index("index", {"--quiet"}));
  const json again = run_json(ask("index", {"--rescore", "20", "--top", "5"}));
  const json exact = run_json({"attribute", model_, "--data", corpus_, "--prompt", "the cat", "--completion", " sat",
                               "--quiet", "--trust", "no", "--top", "40", "--threads", "1"});
  EXPECT_EQ(again["store"]["rescored_by"], exact["method"]);
  EXPECT_EQ(again["nats_per_raw"], exact["nats_per_raw"]);
  EXPECT_TRUE(again["queries"][0].contains("index_agreement"));
  EXPECT_EQ(again["store"]["agreement_questions"], 1);
  std::map<int, double> scores;
  for (const char* end : {"top", "bottom"})
    for (const json& document : exact["queries"][0][end]) scores[document["row"]] = document["score"];
  double before = 1e30;
  for (const json& document : again["queries"][0]["top"]) {
    const double score = document["score"];
    // Other batches: float32 sums in another order.
    EXPECT_NEAR(score, scores.at(document["row"]), 1e-4 * std::abs(score));
    EXPECT_LE(score, before);
    before = score;
  }
}

// As it was asked: by the same mode and damping.
TEST_F(Index, ScoresTheStrongestAgainInTheSameMode) {
  run_json(index("index", {"--quiet"}));
  const json again =
      run_json(ask("index", {"--rescore", "20", "--top", "5", "--method", "logra(mode=relatif,damping=0.5)"}));
  const json exact =
      run_json({"attribute", model_, "--data", corpus_, "--prompt", "the cat", "--completion", " sat", "--quiet",
                "--trust", "no", "--top", "40", "--threads", "1", "--method", "relatif(damping=0.5)"});
  EXPECT_EQ(again["store"]["rescored_by"], exact["method"]);
  EXPECT_EQ(again["unit"], exact["unit"]);
  EXPECT_THAT(again["warnings"].dump(), HasSubstr("l-RelatIF on EK-FAC, damping 0.5: "));
  std::map<int, double> scores;
  for (const char* end : {"top", "bottom"})
    for (const json& document : exact["queries"][0][end]) scores[document["row"]] = document["score"];
  for (const json& document : again["queries"][0]["top"]) {
    const double score = document["score"];
    EXPECT_NEAR(score, scores.at(document["row"]), 1e-4 * std::abs(score));  // float32 sums in another order
  }
}

TEST_F(Index, ComparesDocumentsAloneAndInABatch) {
  const json made = run_json(index("checked", {"--check-batches", "yes"}));
  expect_documented_keys(made, "index");
  EXPECT_EQ(made["batch_check"]["documents"], 8);
  EXPECT_LT(made["batch_check"]["gradient_difference"], made["batch_check"]["tolerance"]);
  EXPECT_EQ(json::parse(read_bytes(folder_ / "checked/result.json"))["batch_check"], made["batch_check"]);
  EXPECT_FALSE(run_json(index("short", {"--quiet"})).contains("batch_check"));
  EXPECT_TRUE(blocks("short") == blocks("checked"));
  EXPECT_EQ(run_json(ask("short", {"--check-batches", "yes"}))["batch_check"]["documents"], 8);
}

// Whole rows of scores, which an agreement needs, are kept of the first questions alone.
TEST_F(Index, SaysOnHowManyQuestionsItAgrees) {
  run_json(index("index", {"--quiet"}));
  std::string lines;
  for (int i = 0; i < 11; ++i)
    lines += R"({"prompt": "the cat", "completion": " sat"})"
             "\n";
  const std::vector<std::string> words{"attribute", model_,
                                       "--store",   folder_ / "index",
                                       "--queries", folder_.write("queries.jsonl", lines),
                                       "--rescore", "5",
                                       "--top",     "3",
                                       "--quiet",   "--trust",
                                       "no",        "--threads",
                                       "1"};
  const json found = run_json(words);
  EXPECT_EQ(found["store"]["agreement_questions"], 10);
  EXPECT_TRUE(found["queries"][9].contains("index_agreement"));
  EXPECT_FALSE(found["queries"][10].contains("index_agreement"));
  EXPECT_THAT(run_assay(words).out, HasSubstr("agree was measured on the first 10 alone"));
}

TEST_F(Index, TakesFurtherDocuments) {
  run_json(index("whole", {"--quiet"}));
  const std::string text = read_bytes(corpus_);
  const size_t cut = text.find("<|endoftext|>", text.size() / 2) + 13;
  const std::string first = folder_.write("first.txt", text.substr(0, cut)),
                    rest = folder_.write("rest.txt", text.substr(cut));
  run_json(index("parts", {"--quiet", "--data", first}));
  std::vector<std::string> append{"index",           model_,     "--data",  rest,        "--out",
                                  folder_ / "parts", "--append", "--quiet", "--threads", "1"};
  const json added = run_json(append);
  EXPECT_EQ(added["index"]["rows"], 40);
  EXPECT_EQ(added["index"]["parts"], 2);
  const json whole = run_json(ask("whole")), parts = run_json(ask("parts"));
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(parts["queries"][0]["top"][i]["row"], whole["queries"][0]["top"][i]["row"]);
    EXPECT_EQ(parts["queries"][0]["top"][i]["id"], whole["queries"][0]["top"][i]["id"]);
  }
  const Outcome again =
      run_assay({"index", model_, "--data", rest, "--out", folder_ / "parts", "--append", "--threads", "1"});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("holds these documents already"));
}

// What an index was made with is its own: an option that says otherwise is refused by its name, before anything is
// read.
TEST_F(Index, AnAppendKeepsWhatTheIndexWasMadeWith) {
  run_json(index("index", {"--quiet", "--seed", "3", "--layers", "blocks.*.mlp.*"}));
  const std::vector<std::string> append{"index",           model_,     "--data",  corpus_,     "--out",
                                        folder_ / "index", "--append", "--quiet", "--threads", "1"};
  const auto with = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words = append;
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  const std::vector<std::pair<std::vector<std::string>, std::string>> others{
      {{"--rank", "5"}, "--rank 4, but 5 is given; leave --rank out"},
      {{"--rank-in", "5"}, "--rank-in 4, but 5 is given; leave --rank-in out"},
      {{"--rank-out", "5"}, "--rank-out 4, but 5 is given; leave --rank-out out"},
      {{"--store-dtype", "int8"}, "--store-dtype fp32, but int8 is given; leave --store-dtype out"},
      {{"--curvature", "kfac"}, "--curvature raw, but kfac is given; leave --curvature out"},
      {{"--projection", "pca"}, "--projection random, but pca is given; leave --projection out"},
      {{"--context", "8"}, "--context 16, but 8 is given; leave --context out"},
      {{"--seed", "4"}, "--seed 3, but 4 is given; leave --seed out"},
      {{"--layers", "blocks.0.*"},
       "keeps the 6 layers of its index, but \"blocks.0.*\" names others; leave --layers out"},
      {{"--dtype", "fp64"}, "keeps the precision of its index, fp32, but --dtype is fp64; give --dtype fp32"},
  };
  for (const auto& [more, said] : others) refused(with(more), 2, "usage", said);
  const Outcome same =
      run_assay(with({"--rank", "4", "--store-dtype", "fp32", "--seed", "3", "--layers", "blocks.*.mlp.*", "--plan"}));
  EXPECT_EQ(same.exit_code, 0) << same.err;
  const std::string other = folder_ / "another";
  write_tiny_model(other, 2);
  std::vector<std::string> words = append;
  words[1] = other;
  refused(words, 3, "data", "name that model, or make an index in another folder");
}

TEST_F(Index, SaysWhatItHoldsAlready) {
  run_json(index("index", {"--quiet"}));
  const std::vector<std::string> append = index("index", {"--append", "--quiet"});
  const Outcome added = run_assay(append);
  EXPECT_EQ(added.exit_code, 0) << added.err;
  EXPECT_THAT(added.out, HasSubstr("that were added are in the index already and are ranked beside themselves now"));
  EXPECT_THAT(added.out, HasSubstr("80 rows of 224 numbers"));
  EXPECT_THAT(run_assay(append).out, testing::Not(HasSubstr("already")));  // the same command again adds nothing
}

// How documents are read belongs to an index as its ranks do.
TEST_F(Index, ReadsFurtherDocumentsAsTheFirst) {
  folder_.write("model/tokenizer_config.json",
                R"({"bos_token": "<unk>", "add_bos_token": true, "unk_token": "<unk>"})");
  const std::string more = folder_.write("more.txt", "the cat sat<|endoftext|>the dog ran on the mat");
  run_json(index("index", {"--quiet", "--bos", "no", "--long", "split", "--context", "8"}));
  const json added = run_json({"index", model_, "--data", more, "--out", folder_ / "index", "--append", "--quiet"});
  EXPECT_EQ(added["added"]["rows"], 2);
  EXPECT_EQ(added["data"]["tokens"], 9) << "no begin tokens";
  const Outcome told = run_assay({"index", model_, "--data", more, "--out", folder_ / "index", "--append"});
  EXPECT_THAT(told.err, HasSubstr("BOS: before no text, as in the index"));
  refused({"index", model_, "--data", more, "--out", folder_ / "index", "--append", "--quiet", "--bos", "yes"}, 2,
          "usage", "--bos no, but yes is given; leave --bos out");
  refused({"index", model_, "--data", more, "--out", folder_ / "index", "--append", "--quiet", "--long", "cut"}, 2,
          "usage", "--long split, but cut is given; leave --long out");
}

// The documents' cut is theirs: a question is as long as the model takes, 16 tokens.
TEST_F(Index, TakesQuestionsBeyondTheContextOfItsDocuments) {
  run_json(index("short", {"--quiet", "--context", "8"}));
  const auto asked = [&](int words) {
    std::string prompt = "the";
    for (int i = 2; i < words; ++i) prompt += " cat";
    std::vector<std::string> all = ask("short");
    *std::ranges::find(all, "the cat") = prompt;
    return all;
  };
  EXPECT_EQ(run_json(asked(16))["store"]["rows"], 40);
  refused(asked(17), 3, "data", "a question must fit into the model's context of 16 tokens, but it has 17; shorten it");
}

TEST_F(Index, ListsTheNearestByDistance) {
  run_json(index("index", {"--quiet"}));
  const json found = run_json(ask("index", {"--method", "logra(mode=l2)", "--top", "5", "--out", folder_ / "l2"}));
  const json& top = found["queries"][0]["top"];
  ASSERT_EQ(top.size(), 5u);
  for (size_t i = 1; i < top.size(); ++i) EXPECT_GE(top[i - 1]["score"], top[i]["score"]);
  EXPECT_TRUE(found["queries"][0]["bottom"].empty());
  EXPECT_EQ(found["sign"], "none: the higher, the nearer to the question");
  EXPECT_THAT(read_bytes(folder_ / "l2/report.html"), HasSubstr("ranks by how near the gradients are"));
  EXPECT_THAT(run_assay(ask("index", {"--method", "logra(mode=l2)"})).out, testing::Not(HasSubstr("No document")));
  refused(ask("index", {"--method", "logra(mode=l2)", "--layer-groups", "a=blocks.*.attn.*"}), 2, "usage",
          "has no parts");
}

TEST_F(Index, OfTooFewTextsSaysSo) {
  const std::string few = folder_.write("few.txt", "cat<|endoftext|>the dog<|endoftext|>the cat sat on the mat");
  run_json(index("few", {"--quiet", "--data", few}));
  const auto warned = [&](const std::string& damping) {
    return run_json(ask("few", {"--method", "logra(damping=" + damping + ")"}))["warnings"].dump();
  };
  EXPECT_THAT(warned("0.1"), HasSubstr("of 16): in directions that the documents never visit, the damping alone"));
  EXPECT_THAT(warned("1e-12"), HasSubstr("little but rounding decides"));
}

TEST_F(Index, SaysBeforehandWhatItCosts) {
  const Outcome plan = run_assay(index("planned", {"--plan", "--projection", "pca"}));
  EXPECT_EQ(plan.exit_code, 0) << plan.err;
  for (const char* stage : {"covariances", "eigendecompositions", "projected gradients"})
    EXPECT_THAT(plan.out, HasSubstr(stage));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "planned"));
  run_json(index("made", {"--quiet", "--projection", "pca", "--curvature", "ekfac", "--store-dtype", "int8"}));
  const Outcome question = run_assay(ask("made", {"--plan", "--rescore", "20"}));
  for (const char* stage : {"questions", "scores", "covariances", "exact scores"})
    EXPECT_THAT(question.out, HasSubstr(stage));
  EXPECT_EQ(run_json(ask("made"))["store"]["curvature"], "ekfac");
}

TEST_F(Index, RefusesWhatDoesNotFit) {
  run_json(index("index", {"--quiet"}));
  refused(index("index", {"--quiet", "--seed", "5"}), 3, "data", "\"projection.seed\" was 0 and is now 5");
  refused({"index", model_, "--data", corpus_}, 2, "usage", "--out is needed");
  refused(index("index", {"--append", "--force"}), 2, "usage", "leave one of them out");
  refused(index("nothing", {"--quiet", "--append"}), 3, "data", "nothing");
  const auto asked = [&](const std::vector<std::string>& more, const std::string& said) {
    refused(ask("index", more), 2, "usage", said);
  };
  asked({"--data", corpus_}, "with --store the documents are the index's");
  asked({"--limit", "3"}, "--limit is given too; leave it out");
  asked({"--method", "ekfac"}, "an index is read by logra");
  asked({"--rescore", "3", "--top", "5"}, "it must reach as far as --top");
  asked({"--rescore", "30", "--method", "logra(mode=l2)"}, "the method must have an exact form in EK-FAC");
  asked({"--layers", "blocks.9.*"}, "blocks.9");
  asked({"--layer-groups", "attention"}, "NAME=PATTERN");
  asked({"--layer-groups", ""}, "NAME=PATTERN, but one is \"\"; correct it");
  asked({"--layer-groups", "a=blocks.9.*"}, "choosing layers: pattern \"blocks.9.*\" must match");
  asked({"--layer-groups", "a=unembed"}, "\"unembed\" cannot be tracked because");
  asked({"--layers", "blocks.0.*", "--layer-groups", "a=blocks.1.*"}, "\"a\" has none; correct its pattern");
  // Nothing is done before: a plan refuses it, too.
  refused(ask("index", {"--plan", "--layer-groups", "a=blocks.9.*"}), 2, "usage", "must match");
  asked({"--train-size", "9"}, "those of an index have none until --rescore brings them to the scale of EK-FAC");
  asked({"--layer-groups", "a=blocks.*.attn.*;a=blocks.*.mlp.*"}, "\"a\" is there twice");
  refused({"index", model_, "--data", corpus_, "--out", folder_ / "none", "--rank", "0"}, 2, "usage",
          "reading --rank: it must be a whole number from 1 to");
  asked({"--dtype", "bf16"}, "questions must be in its precision, fp32, but --dtype is bf16");
  asked({"--filter", "bm25(3)"}, "with --store none are taken");
  asked({"--stability"}, "--stability needs a method that samples labels");
  refused({"attribute", model_, "--data", corpus_, "--completion", "the", "--method", "logra"}, 2, "usage",
          "logra needs --store");
  refused({"attribute", model_, "--data", corpus_, "--completion", "the", "--rescore", "5"}, 2, "usage",
          "it needs --store");
  refused(index("none", {"--check-batches", "maybe"}), 2, "usage", "one of auto|yes|no, but it is \"maybe\"");
  refused({"attribute", model_, "--completion", "the"}, 2, "usage", "--data is needed");

  const std::string other = folder_ / "other";
  write_tiny_model(other, 2);
  std::vector<std::string> words = ask("index");
  words[1] = other;
  refused(words, 3, "data", "they were made with the model of hash");
  std::string bytes = blocks("index")["rows.0000.00000.safetensors"];
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
  folder_.write("index/rows.0000.00000.safetensors", bytes);
  refused(ask("index"), 3, "data", "must fit the checksum in the manifest");
  std::filesystem::resize_file(folder_ / "index/rows.0000.00000.safetensors", 1000);
  refused(ask("index"), 3, "data", "missing or of another size");
  run_json(index("index", {"--quiet"}));
  run_json(ask("index"));
}

class LongIndex : public Index {
 protected:
  LongIndex() : Index(6000) {}  // at full rank six blocks of 1,024 rows

  std::vector<std::string> wide(const std::string& name, std::vector<std::string> more = {}) const {
    more.insert(more.end(), {"--rank-in", "16", "--rank-out", "16"});
    return index(name, more);
  }
};

TEST_F(LongIndex, KilledAnywhereItEndsInTheSameBits) {
  ASSERT_EQ(run_assay(wide("straight", {"--quiet"})).exit_code, 0);
  const auto expected = blocks("straight");
  ASSERT_TRUE(expected.contains("rows.0000.00005.safetensors"));
  for (const char* seen : {"rows.0000.00000", "rows.0000.00003"}) {
    const std::string name = std::string("killed at ") + seen;
    Running first(wide(name));
    ASSERT_TRUE(first.wait_until([&] {
      return read_bytes(folder_ / (name + "/manifest.json")).find(seen) != std::string::npos;
    })) << first.errors_so_far();
    first.signal(SIGKILL);
    ASSERT_THAT(first.wait().exit_code, AnyOf(0, 128 + SIGKILL));
    refused(ask(name), 3, "data", "must be finished");
    ASSERT_EQ(run_assay(wide(name, {"--quiet"})).exit_code, 0);
    EXPECT_TRUE(blocks(name) == expected) << seen;
  }
}

// Killed while documents are appended, an index answers as before, and both ways on are open.
TEST_F(LongIndex, KilledWhileItGrowsItStaysWhatItWas) {
  const std::string few = folder_.write("few.txt", tiny_corpus_of(20)),
                    others = folder_.write("others.txt", "the dog ran<|endoftext|>the cat sat on the mat");
  ASSERT_EQ(run_assay(wide("index", {"--quiet", "--data", few})).exit_code, 0);
  const json before = run_json(ask("index"));
  const std::vector<std::string> append = wide("index", {"--append", "--data", corpus_});
  Running first(append);
  ASSERT_TRUE(first.wait_until([&] {
    return read_bytes(folder_ / "index/manifest.json").find("rows.0001.00001") != std::string::npos;
  })) << first.errors_so_far();
  first.signal(SIGKILL);
  ASSERT_EQ(first.wait().exit_code, 128 + SIGKILL);

  const json after = run_json(ask("index"));
  for (const char* key : {"store", "data", "queries"}) EXPECT_EQ(after[key], before[key]) << key;
  EXPECT_THAT(after["warnings"].dump(), HasSubstr("An append to the index was not finished: 6,000 documents are not "
                                                  "used, and everything here is of the 20 documents before"));
  EXPECT_THAT(run_assay(ask("index")).out, HasSubstr("run that append again to finish it"));
  const Outcome begun_again = run_assay(wide("index", {"--data", few}));
  EXPECT_THAT(begun_again.err, HasSubstr("holds these documents already"));
  EXPECT_THAT(begun_again.err, HasSubstr("6,000 documents are not used"));
  std::filesystem::copy(folder_ / "index", folder_ / "other");

  const json whole = run_json(wide("index", {"--append", "--quiet", "--data", corpus_}));
  EXPECT_EQ(whole["index"]["rows"], 6020);
  EXPECT_GE(whole["added"]["reused"], 1024);
  EXPECT_EQ(run_json(ask("index"))["store"]["rows"], 6020);

  const Outcome dropping = run_assay(wide("other", {"--append", "--data", others}));
  EXPECT_THAT(dropping.err, HasSubstr("An append of 6,000 documents was not finished and makes way for this one"));
  const json other = run_json(ask("other"));
  EXPECT_EQ(other["store"]["rows"], 22);
  EXPECT_THAT(other["warnings"].dump(), testing::Not(HasSubstr("not finished")));
}

}  // namespace
}  // namespace assay
