#include "assay/core/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "assay/core/cache.h"
#include "assay/core/error.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr Ceilings kCeilings{1e9, 4e9, 1e8, 1e-6};

/// A new folder that goes with the test.
class Folder {
 public:
  Folder() {
    std::string pattern = testing::TempDir() + "assay_plan_XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~Folder() { fs::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

TEST(Plan, TimeIsTheSumOfProductsTrafficAndCalls) {
  EXPECT_DOUBLE_EQ(seconds({.flops = 2e9}, kCeilings), 2.0);
  EXPECT_DOUBLE_EQ(seconds({.flops_fp64 = 1e9}, kCeilings), 2.0);
  EXPECT_DOUBLE_EQ(seconds({.flops_bf16 = 4e9, .bytes_moved = 1e8, .operator_calls = 1e6}, kCeilings), 3.0);
  EXPECT_EQ(seconds({}, Ceilings{}), 0.0);
}

TEST(Plan, WorkAndDiskAddAndPeaksTakeTheLargest) {
  Plan plan(kCeilings);
  plan.add("covariance", {.flops = 3e9, .peak_bytes = 500, .disk_bytes = 10});
  plan.add("scores", {.flops = 1e9, .peak_bytes = 900, .disk_bytes = 5});
  EXPECT_DOUBLE_EQ(plan.total_seconds(), 4.0);
  EXPECT_EQ(plan.peak_bytes(), 900);
  EXPECT_EQ(plan.disk_bytes(), 15);
  EXPECT_THAT(plan.table(), testing::HasSubstr("covariance"));
  EXPECT_THAT(plan.table(), testing::HasSubstr("4.0 s"));
}

TEST(Plan, CeilingsAreKeptByThreadsAndDamageIsNoError) {
  const Folder folder;
  EXPECT_FALSE(cached_ceilings(folder / "cache", 2));
  keep_ceilings(folder / "cache", 2, kCeilings);
  ASSERT_TRUE(cached_ceilings(folder / "cache", 2));
  EXPECT_EQ(cached_ceilings(folder / "cache", 2)->flops_per_second_bf16, 4e9);
  EXPECT_FALSE(cached_ceilings(folder / "cache", 4));
  keep_ceilings(folder / "cache", 2, {2e9, 1e9, 1e7, 1e-3});  // measured beside a busy program, but for one number
  EXPECT_EQ(cached_ceilings(folder / "cache", 2)->flops_per_second_fp32, 2e9);
  EXPECT_EQ(cached_ceilings(folder / "cache", 2)->flops_per_second_bf16, 4e9);
  EXPECT_EQ(cached_ceilings(folder / "cache", 2)->seconds_per_operator_call, 1e-6);
  std::ofstream(folder / "cache/ceilings.json") << "{\"torn";
  EXPECT_FALSE(cached_ceilings(folder / "cache", 2));
  keep_ceilings(folder / "cache", 4, kCeilings);
  EXPECT_TRUE(cached_ceilings(folder / "cache", 4));
}

TEST(Cache, ClearsOnlyWhatAssayMade) {
  const Folder folder;
  create_cache(folder / "cache");
  std::ofstream(folder / "cache/factor") << "1234";
  EXPECT_GT(folder_bytes(folder / "cache"), 4);
  clear_cache(folder / "cache");
  EXPECT_FALSE(fs::exists(folder / "cache/factor"));
  EXPECT_TRUE(fs::exists(folder / "cache/CACHEDIR.TAG"));

  fs::create_directory(folder / "papers");
  std::ofstream(folder / "papers/thesis.txt") << "irreplaceable";
  EXPECT_THROW(clear_cache(folder / "papers"), Error);
  EXPECT_TRUE(fs::exists(folder / "papers/thesis.txt"));
  EXPECT_NO_THROW(clear_cache(folder / "absent"));
}

TEST(Cache, FollowsTheEnvironment) {
  setenv("XDG_CACHE_HOME", "/somewhere", 1);
  unsetenv("ASSAY_CACHE");
  EXPECT_EQ(default_cache_folder(), "/somewhere/assay");
  setenv("ASSAY_CACHE", "/elsewhere", 1);
  EXPECT_EQ(default_cache_folder(), "/elsewhere");
  unsetenv("ASSAY_CACHE");
  unsetenv("XDG_CACHE_HOME");
}

TEST(Formats, ReadAsPeopleWriteThem) {
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(1'400'000'000), "1.4 GB");
  EXPECT_EQ(format_bytes(412'000'000), "412 MB");
  EXPECT_EQ(format_bytes(999'600), "1.0 MB");
  EXPECT_EQ(format_seconds(0.012), "12 ms");
  EXPECT_EQ(format_seconds(9.99), "10 s");
  EXPECT_EQ(format_seconds(200), "3 min 20 s");
  EXPECT_EQ(format_seconds(7500), "2 h 5 min");
  EXPECT_EQ(format_count(1234567), "1,234,567");
  EXPECT_EQ(format_count(-1234), "-1,234");
  EXPECT_EQ(format_count(-123), "-123");
  EXPECT_EQ(format_counted(0, "token"), "0 tokens");
  EXPECT_EQ(format_counted(1, "token"), "1 token");
  EXPECT_EQ(format_counted(24'000, "empty one"), "24,000 empty ones");
}

TEST(Formats, SizesAreReadWithTheirUnitsAndNonsenseIsRefused) {
  EXPECT_EQ(parse_bytes("8GB", "--memory"), 8'000'000'000);
  EXPECT_EQ(parse_bytes("1.5 GiB", "--memory"), 1'610'612'736);
  EXPECT_EQ(parse_bytes("2000000", "--memory"), 2'000'000);
  for (const char* text : {"", "GB", "-1GB", "8 apples", "0", "1e30TB", "nan", "8,5GB"}) {
    EXPECT_THROW(parse_bytes(text, "--memory"), Error) << text;
  }
}

}  // namespace
}  // namespace assay
