// `assay attribute` on disks that refuse and caches that are damaged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <filesystem>

#include "tests/acceptance/attribution.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

/// While it lives, programs that are started may write no file beyond `bytes`: what a full disk does, without one.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

class Disk : public testing::Test {
 protected:
  Disk() : job_(60) {}

  Outcome run(const std::string& name, const std::vector<std::string>& more = {}) const {
    return run_assay(job_.into(name, more));
  }
  void expect_refusal(const Outcome& outcome, const std::string& words) const {
    EXPECT_EQ(outcome.exit_code, 6) << outcome.err;
    EXPECT_TRUE(is_one_sentence(outcome.err, "resource")) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(words));
    EXPECT_EQ(outcome.out, "");
  }

  TinyAttribution job_;
};

TEST_F(Disk, AFullDiskUnderTheResultLosesNothingThatWasFinished) {
  ASSERT_EQ(run("straight").exit_code, 0);
  ASSERT_GT(fs::file_size(job_.out("straight") + "/report.html"), 40'000u);
  for (const auto& file : fs::directory_iterator(job_.factors())) ASSERT_LT(file.file_size(), 40'000u) << file.path();
  job_.forget_factors();
  {
    const FileSizeLimit limit(40'000);  // factors and sums on the way fit, the report does not
    expect_refusal(run("full", {"--quiet"}), "report.html\": its bytes must reach the disk, but the file would exceed");
  }
  EXPECT_FALSE(job_.is_finished("full"));
  const Outcome again = run("full");
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("eigenvalues: reused those of 14 layers"));
  EXPECT_TRUE(job_.scores("full") == job_.scores("straight"));
}

TEST_F(Disk, AFullDiskUnderTheCacheCostsTheCacheAlone) {
  const Outcome full = [&] {
    const FileSizeLimit limit(1000);  // what it prints fits, the factors do not
    return run_assay(job_.words());
  }();
  EXPECT_EQ(full.exit_code, 0) << full.err;
  EXPECT_THAT(full.err, HasSubstr("nothing is kept for later runs: writing"));
  const Outcome roomy = run_assay(job_.words());
  EXPECT_EQ(roomy.exit_code, 0) << roomy.err;
  EXPECT_EQ(roomy.out, full.out);
}

TEST_F(Disk, AFullDiskBeforeTheResultBeginsIsOneSentence) {
  const FileSizeLimit limit(350);  // standard error is a file here, and takes its one sentence
  expect_refusal(run("none", {"--quiet"}), "run.json\": its bytes must reach the disk");
}

TEST_F(Disk, AnOutputThatCannotBeMadeIsOneSentenceBeforeTheFitBegins) {
  expect_refusal(run_assay(job_.words({"--quiet", "--out", job_.corpus() + "/result"})), "Not a directory");
  expect_refusal(run_assay(job_.words({"--quiet", "--out", "/proc/result"})),
                 "opening the result folder \"/proc/result\"");
  EXPECT_EQ(job_.factors(), "");
}

TEST_F(Disk, ACacheThatCannotBeMadeCostsTheCacheAlone) {
  std::vector<std::string> words = job_.into("uncached");
  *std::ranges::find(words, job_.cache()) = job_.corpus() + "/cache";
  const Outcome outcome = run_assay(words);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("factors are not kept: creating the cache folder"));
  ASSERT_EQ(run("cached").exit_code, 0);
  EXPECT_TRUE(job_.scores("uncached") == job_.scores("cached"));
}

using Damage = void (*)(const std::string& path);

void flip(const std::string& path) {
  std::string bytes = read_bytes(path);
  bytes[bytes.size() * 3 / 4] = static_cast<char>(bytes[bytes.size() * 3 / 4] ^ 0x10);
  std::ofstream(path, std::ios::binary) << bytes;
}
void cut(const std::string& path) {
  fs::resize_file(path, fs::file_size(path) / 2);
}
void empty(const std::string& path) {
  fs::resize_file(path, 0);
}

class DamagedCache : public Disk, public testing::WithParamInterface<std::pair<const char*, Damage>> {
 protected:
  void SetUp() override { ASSERT_EQ(run("straight").exit_code, 0); }
  void damage(const std::string& file) const {
    std::string path = job_.factors() + "/" + file;
    if (!fs::exists(path)) path.insert(path.rfind('.'), "+");  // a block that was made again
    ASSERT_TRUE(fs::exists(path)) << path;
    GetParam().second(path);
  }
  std::string run_again(const std::string& name) const {
    const Outcome outcome = run(name);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_TRUE(job_.scores(name) == job_.scores("straight"));
    return outcome.err;
  }
};

TEST_P(DamagedCache, IsSaidAndMadeAgainWithTheSameBits) {
  damage("input.blocks.0.attn.q.safetensors");
  const std::string said = run_again("bases");
  EXPECT_THAT(said, HasSubstr("input.blocks.0.attn.q"));
  EXPECT_THAT(said, HasSubstr("; it is made again"));
  EXPECT_THAT(said, Not(HasSubstr("remove"))) << "nothing is left to the user";
  EXPECT_THAT(said, Not(HasSubstr("covariances: reused")));
  EXPECT_THAT(said, Not(HasSubstr("eigenvalues: reused"))) << "mean squares go with the basis they were measured in";

  damage("ekfac.blocks.1.mlp.up.safetensors");
  EXPECT_THAT(run_again("moments"), HasSubstr("ekfac.blocks.1.mlp.up"));

  damage("output.blocks.1.attn.o.safetensors");
  EXPECT_THAT(run_again("output"), HasSubstr("output.blocks.1.attn.o"));

  damage("manifest.json");
  GetParam().second(job_.cache() + "/ceilings.json");
  const std::string anew = run_again("anew");
  EXPECT_THAT(anew, HasSubstr("manifest.json"));
  EXPECT_THAT(anew, HasSubstr("made anew, because"));
  EXPECT_THAT(anew, Not(HasSubstr("remove")));

  const std::string healed = run_again("healed");
  EXPECT_THAT(healed, HasSubstr("eigenvalues: reused"));
  EXPECT_THAT(healed, Not(HasSubstr("made a")));
}

INSTANTIATE_TEST_SUITE_P(Kinds, DamagedCache,
                         testing::Values(std::pair("Flipped", &flip), std::pair("Cut", &cut),
                                         std::pair("Emptied", &empty)),
                         [](const auto& each) { return each.param.first; });

}  // namespace
}  // namespace assay
