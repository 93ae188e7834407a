#include "assay/core/machine.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <vector>

namespace assay {
namespace {

namespace fs = std::filesystem;

/// A file system of a few files under a temporary root.
class FakeRoot {
 public:
  FakeRoot() {
    std::string pattern = testing::TempDir() + "assay_root_XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~FakeRoot() { fs::remove_all(path_); }
  FakeRoot& with(const std::string& path, const std::string& text) {
    const fs::path file = path_ + path;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text << '\n';
    return *this;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(Threads, CgroupV2LimitsOfEveryAncestorBind) {
  FakeRoot root;
  root.with("/proc/self/cgroup", "0::/jobs/one")
      .with("/sys/fs/cgroup/jobs/one/cpu.max", "max 100000")
      .with("/sys/fs/cgroup/jobs/cpu.max", "150000 100000")
      .with("/sys/fs/cgroup/jobs/one/memory.max", "4000000")
      .with("/sys/fs/cgroup/jobs/memory.max", "max");
  EXPECT_EQ(detail::cgroup_cores(root.path()), 1.5);
  EXPECT_EQ(detail::cgroup_memory_bytes(root.path()), 4'000'000);
}

TEST(Threads, CgroupV1ControllersAreRead) {
  FakeRoot root;
  root.with("/proc/self/cgroup", "4:memory:/docker/ab\n3:cpu,cpuacct:/docker/ab\n0::/")
      .with("/sys/fs/cgroup/memory/docker/ab/memory.limit_in_bytes", "2000000")
      .with("/sys/fs/cgroup/cpu,cpuacct/docker/ab/cpu.cfs_quota_us", "200000")
      .with("/sys/fs/cgroup/cpu,cpuacct/docker/ab/cpu.cfs_period_us", "100000");
  EXPECT_EQ(detail::cgroup_cores(root.path()), 2.0);
  EXPECT_EQ(detail::cgroup_memory_bytes(root.path()), 2'000'000);
}

TEST(Threads, LimitsSeenFromInsideAContainerAreRead) {
  FakeRoot root;  // the container's own cgroup is mounted as the root, its path names what lies outside
  root.with("/proc/self/cgroup", "0::/../outside")
      .with("/sys/fs/cgroup/cpu.max", "50000 100000")
      .with("/sys/fs/cgroup/memory.max", "1000000");
  EXPECT_EQ(detail::cgroup_cores(root.path()), 0.5);
  EXPECT_EQ(detail::cgroup_memory_bytes(root.path()), 1'000'000);
}

TEST(Threads, WithoutCgroupsNothingIsLimited) {
  const FakeRoot root;
  EXPECT_TRUE(std::isinf(detail::cgroup_cores(root.path())));
  EXPECT_EQ(detail::cgroup_memory_bytes(root.path()), std::numeric_limits<int64_t>::max());
}

TEST(Threads, ThisMachineGrantsSomething) {
  EXPECT_GE(granted_cores(), 1);
  EXPECT_LE(granted_cores(), processor().cores_online);
  EXPECT_GT(granted_memory_bytes(), 0);
  EXPECT_LE(available_memory_bytes(), granted_memory_bytes());
  EXPECT_FALSE(processor().model.empty());
}

TEST(Threads, ThePeakFollowsWhatIsTouched) {
  const int64_t before = peak_resident_bytes();
  std::vector<char> block(64 << 20, 1);
  EXPECT_GE(resident_bytes(), static_cast<int64_t>(block.size()));
  EXPECT_GE(peak_resident_bytes(), resident_bytes());
  EXPECT_GE(peak_resident_bytes(), before);
}

}  // namespace
}  // namespace assay
