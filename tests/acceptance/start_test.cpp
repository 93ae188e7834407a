// What the program says by itself: help, version, usage errors. None of it may load LibTorch.
#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstring>

#include "tests/acceptance/program.h"
#include "tests/acceptance/tiny_model.h"

namespace assay {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::vector<std::string> kCommands{"demo",     "attribute", "train",    "evaluate",
                                         "generate", "inspect",   "tokenize", "doctor"};

/// The libraries that an ELF file asks the loader for (DT_NEEDED).
std::vector<std::string> needed_libraries(const std::string& path) {
  const std::string bytes = read_bytes(path);
  const auto at = [&bytes]<typename T>(uint64_t offset, T value) {
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
  };
  const auto header = at(0, Elf64_Ehdr{});
  std::vector<std::string> names;
  for (uint16_t i = 0; i < header.e_shnum; ++i) {
    const auto section = at(header.e_shoff + uint64_t{i} * header.e_shentsize, Elf64_Shdr{});
    if (section.sh_type != SHT_DYNAMIC) continue;
    const auto strings = at(header.e_shoff + uint64_t{section.sh_link} * header.e_shentsize, Elf64_Shdr{});
    for (uint64_t place = 0; place < section.sh_size; place += sizeof(Elf64_Dyn)) {
      const auto entry = at(section.sh_offset + place, Elf64_Dyn{});
      if (entry.d_tag == DT_NEEDED) names.emplace_back(bytes.c_str() + strings.sh_offset + entry.d_un.d_val);
    }
  }
  return names;
}

TEST(Start, TheExecutableNeedsNoLibTorch) {
  const std::vector<std::string> names = needed_libraries(ASSAY_BINARY);
  ASSERT_FALSE(names.empty());
  for (const std::string& name : names) {
    EXPECT_THAT(name, Not(HasSubstr("torch")));
    EXPECT_THAT(name, Not(HasSubstr("c10")));
    EXPECT_THAT(name, Not(HasSubstr("assay")));
  }
}

TEST(Start, HelpAndUsageErrorsLoadNoLibTorch) {
  const std::vector<std::vector<std::string>> calls{{},
                                                    {"--help"},
                                                    {"--version"},
                                                    {"attribute", "--help"},
                                                    {"atribute"},
                                                    {"attribute", "m", "--data", "d", "--method", "ekfca"}};
  for (const auto& arguments : calls) {
    const Outcome outcome = run_assay(arguments, {.environment = {{"LD_DEBUG", "files"}}});
    EXPECT_THAT(outcome.err, HasSubstr("libc.so")) << "the loader was to say what it loads";
    EXPECT_THAT(outcome.err, Not(HasSubstr("libtorch")));
  }
}

TEST(Start, WithoutArgumentsItSaysWhatItIsAndWhereToBegin) {
  const Outcome outcome = run_assay({});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("which training documents made it say something"));
  EXPECT_THAT(outcome.out, HasSubstr("assay demo"));
  for (const std::string& command : kCommands) EXPECT_THAT(outcome.out, HasSubstr("\n  " + command));
  EXPECT_EQ(run_assay({"--help"}).out, outcome.out);
}

TEST(Start, VersionNamesLibTorchAndTheCache) {
  const Outcome outcome = run_assay({"--version"}, {.environment = {{"ASSAY_CACHE", "/some/cache"}}});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("assay " ASSAY_VERSION));
  EXPECT_THAT(outcome.out, HasSubstr("LibTorch " ASSAY_TORCH_VERSION));
  EXPECT_THAT(outcome.out, HasSubstr("/some/cache"));
}

TEST(Start, EveryCommandExplainsItself) {
  for (const std::string& command : kCommands) {
    const Outcome outcome = run_assay({command, "--help"});
    EXPECT_EQ(outcome.exit_code, 0) << command;
    EXPECT_THAT(outcome.out, HasSubstr("Usage: assay " + command));
    EXPECT_THAT(outcome.out, HasSubstr("Examples:\n"));
    for (const char* option :
         {"--out", "--json", "--quiet", "--threads", "--memory", "--device", "--plan", "--force", "--config"}) {
      EXPECT_THAT(outcome.out, HasSubstr(option)) << command;
    }
    const auto is_among = [&](const std::vector<std::string>& commands) {
      return std::ranges::find(commands, command) != commands.end();
    };
    const auto lists = [&](const char* text) { return outcome.out.find(text) != std::string::npos; };
    EXPECT_EQ(lists("--seed N"), !is_among({"inspect", "tokenize", "doctor", "evaluate"})) << command;
    EXPECT_EQ(lists("--dtype"), !is_among({"tokenize", "doctor"})) << command;
    EXPECT_EQ(lists("--dtype fp32|fp64 "), is_among({"train", "demo"})) << outcome.out;
    EXPECT_EQ(lists("there is no bf16: training loses its"), is_among({"train", "demo"})) << outcome.out;
    EXPECT_EQ(run_assay({"help", command}).out, outcome.out);
    EXPECT_EQ(run_assay({command, "-h"}).out, outcome.out);
  }
}

struct Refused {
  std::vector<std::string> arguments;
  std::string words;
};

TEST(Start, UsageErrorsAreOneSentenceWithTheNearestName) {
  const std::vector<std::string> attribute{"attribute", "model", "--data", "corpus.txt"};
  const auto with = [&attribute](std::vector<std::string> more) {
    more.insert(more.begin(), attribute.begin(), attribute.end());
    return more;
  };
  const std::vector<Refused> cases{
      {{"atribute"}, "closest: \"attribute\""},
      {{"--json"}, "a command must come first"},
      {{"help", "nothing"}, "must be one of the commands"},
      {{"inspect"}, "MODEL is needed"},
      {{"inspect", "m", "--sits"}, "closest: \"--sites\""},
      {{"inspect", "m", "extra"}, "\"extra\" is one word too many"},
      {{"index", "m", "--seed"}, "--seed needs a value (N) and none follows; write --seed N"},
      {{"index", "m", "--data", "d", "--seed", "x"},
       "reading --seed: it must be a whole number, 0 or more, but it is \"x\""},
      {{"inspect", "m", "--seed", "1"}, "\"--seed\" is not one of its options"},
      {{"tokenize", "m", "--text", "t", "--dtype", "fp64"}, "\"--dtype\" is not one of its options"},
      {{"demo", "--plan", "--dtype", "bf16"},
       "reading --dtype: it must be one of fp32|fp64, in which small steps of training are kept, but it is \"bf16\"; "
       "choose one of them"},
      {{"train", "r.toml", "--dtype", "bf16"}, "in which small steps of training are kept, but it is \"bf16\""},
      {{"evaluate", "m", "--data", "d", "--limit", "0"}, "reading --limit: it must be a whole number, 1 or more"},
      {{"index", "m", "--data", "d", "--layers", ""},
       "reading --layers: it must be PATTERN, but it is empty; give one, or leave --layers out"},
      {{"inspect", "m", "--threads", "0"}, "a whole number from 1 to 4096"},
      {{"inspect", "m", "--memory", "8 apples"}, "a size such as 8GB"},
      {{"inspect", "m", "--dtype", "fp46"}, "must be one of fp32|fp64|bf16, but it is \"fp46\"; closest: \"fp64\""},
      {{"index", "m", "--seed", "1", "--seed", "2"}, "but it is given twice; leave one of them out"},
      {{"generate", "m", "--prompt", "p", "--temperature", "0,5"}, "with a decimal point, but it is \"0,5\""},
      {{"generate", "m", "--prompt", "p", "--temperature", "nan"}, "must be a number"},
      {{"evaluate", "m"}, "--data is needed"},
      {with({}), "--prompt with --completion, or --queries FILE.jsonl, is needed and none is given; add one of them"},
      {with({"--prompt", "p"}), "--completion is missing or empty; add --completion TEXT"},
      {with({"--prompt", "p", "--completion", "c", "--queries", "q"}), "both are given; leave one of them out"},
      {with({"--prompt", "p", "--completion", "c", "--layers", ""}), "reading --layers: it must be PATTERN"},
      {with({"--prompt", "p", "--completion", "c", "--method", "bm25", "--train-size", "9"}),
       "reading --train-size: it turns scores into nats, but those of bm25 have none; leave it out"},
      {with({"--method", "ekfca"}), "closest: \"ekfac\""},
      {with({"--method", "ekfac(dampign=1)"}), "closest: \"damping\""},
      {with({"--method", "ekfac(damping=-1)"}), "damping must be a number"},
      {with({"--method", "ekfac(damping=1"}), "reading the method"},
      {with({"--top", "0"}), "a whole number, 1 or more"},
      {with({"--prompt", "p", "--completion", "c", "--method", "bm25", "--self"}), "leave them out or choose ekfac"},
      {with({"--prompt", "p", "--completion", "c", "--method", "cosine", "--stability"}), "leave --stability out"},
      {with({"--prompt", "p", "--completion", "c", "--group", "both", "--per-token"}),
       "neither tokens nor an influence on itself"},
      {with({"--prompt", "p", "--completion", "c", "--group", "both", "--self"}), "but --self is given too"},
      {with({"--prompt", "p", "--completion", "c", "--group-field", "g"}), "they are not grouped"},
      {{"generate", "m", "--prompt", "p", "--system", "s"}, "it needs --chat"},
      {{"generate", "m", "--prompt", "p", "--top-k", "3"}, "add --temperature 1, or leave out --top-k"},
      {{"generate", "m", "--prompt", "p", "--top-p", "0.9"}, "add --temperature 1, or leave out --top-p"},
      {{"evaluate", "m", "--data", "d", "--separator", "\\d"},
       R"(a backslash must begin \n, \t or \\, but it is "\d")"},
      {{"evaluate", "m", "--data", "d", "--separator", "\\"}, "write \\\\ for a backslash of its own"},
      {{"inspect", "m", "--device", "cuda"}, "this version computes on the processor"},
      {with({"--measure", "logits"}), "must be one of logprob|loss|margin"},
  };
  for (const Refused& refused : cases) {
    const Outcome outcome = run_assay(refused.arguments);
    EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
    EXPECT_TRUE(is_one_sentence(outcome.err, "usage")) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(refused.words));
    EXPECT_EQ(outcome.out, "");
  }
}

TEST(Start, ConfigurationFilesAreCheckedLikeTheCommandLine) {
  const TemporaryFolder folder;
  const auto run_with = [&folder](const std::string& toml, std::vector<std::string> more = {}) {
    more.insert(more.begin(),
                {"generate", "no/such/model", "--prompt", "p", "--config", folder.write("options.toml", toml)});
    return run_assay(more);
  };
  EXPECT_THAT(run_with("temperatur = 1.0").err, HasSubstr("closest: \"temperature\""));
  EXPECT_THAT(run_with("temperature = 200.0").err, HasSubstr("a number from 0 to 100"));
  EXPECT_THAT(run_with("temperature = [1]").err, HasSubstr("must be a text, a number, true or false"));
  EXPECT_THAT(run_with("chat = 3").err, HasSubstr("is a switch"));
  EXPECT_THAT(run_with("= 3").err, HasSubstr("at line 1, column"));
  EXPECT_EQ(run_with("= 3").exit_code, 3);
  const Outcome overridden = run_with("temperature = 200.0", {"--temperature", "1"});  // the command line wins
  EXPECT_THAT(overridden.err, HasSubstr("no/such/model"));
  const Outcome missing = run_assay({"inspect", "m", "--config", folder / "absent.toml"});
  EXPECT_EQ(missing.exit_code, 3);
  EXPECT_TRUE(is_one_sentence(missing.err, "data")) << missing.err;
}

TEST(Start, AClosedPipeIsQuiet) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  close(ends[0]);
  const Outcome outcome = run_assay({"attribute", "--help"}, {.out_descriptor = ends[1]});
  close(ends[1]);
  EXPECT_EQ(outcome.exit_code, 128 + SIGPIPE);
  EXPECT_EQ(outcome.err, "");
}

TEST(Start, AFullDiskUnderStandardOutputIsSaid) {
  const Outcome outcome = run_assay({"--help"}, {.out_path = "/dev/full"});
  EXPECT_EQ(outcome.exit_code, 6);
  EXPECT_TRUE(is_one_sentence(outcome.err, "resource")) << outcome.err;
  // More than a buffer holds: the write that fails is then not the last one.
  TemporaryFolder folder;
  write_tiny_model(folder / "model");
  const Outcome list =
      run_assay({"inspect", folder / "model", "--sites", "--layers", "--weights", "--json"}, {.out_path = "/dev/full"});
  EXPECT_EQ(list.exit_code, 6);
  EXPECT_TRUE(is_one_sentence(list.err, "resource")) << list.err;
}

}  // namespace
}  // namespace assay
