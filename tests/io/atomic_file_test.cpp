#include "assay/io/atomic_file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"

namespace assay::io {
namespace {

class AtomicFileTest : public ::testing::Test {
 protected:
  size_t file_count() const {
    const auto files = std::filesystem::directory_iterator(folder_.path());
    return static_cast<size_t>(std::distance(begin(files), end(files)));
  }
  TemporaryFolder folder_;
};

TEST_F(AtomicFileTest, AppearsOnlyWhenCommittedAndKnowsItsHash) {
  const std::string path = folder_.write("x", "old");
  AtomicFile file(path);
  file.write("new");
  EXPECT_EQ(read_bytes(path), "old");
  const FileDigest digest = file.commit();
  EXPECT_EQ(read_bytes(path), "new");
  EXPECT_EQ(digest.bytes, 3u);
  EXPECT_EQ(digest.hash, hash_file(path));
  EXPECT_EQ(file_count(), 1u);
}

TEST_F(AtomicFileTest, LeavesNothingWhereItIsGivenUp) {
  { AtomicFile(folder_ / "x").write("half"); }
  EXPECT_EQ(file_count(), 0u);
}

TEST_F(AtomicFileTest, AFullDiskIsOneSentenceAndTheOldFileStays) {
  const std::string path = folder_.write("x", "old");
  // The temporary name leads to a device that is always full.
  std::filesystem::create_symlink("/dev/full", path + ".partial-" + std::to_string(::getpid()));
  EXPECT_THAT(error_of([&] { AtomicFile(path).write("new"); }), Refusal(ErrorKind::Resource, "the disk is full"));
  EXPECT_EQ(read_bytes(path), "old");
  EXPECT_EQ(file_count(), 1u);
}

TEST_F(AtomicFileTest, AFileThatWouldGrowTooLargeIsOneSentence) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto error = error_of([&] { AtomicFile(folder_ / "x").write(std::string(2000, 'x')); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, handler);
  EXPECT_THAT(error, Refusal(ErrorKind::Resource, "would exceed the size that this process may write"));
  EXPECT_EQ(file_count(), 0u);
}

TEST_F(AtomicFileTest, AFolderThatIsMissingOrMayNotBeWrittenIsOneSentence) {
  EXPECT_THAT(error_of([&] { AtomicFile file(folder_ / "no/such/x"); }),
              Refusal(ErrorKind::Resource, "its folder does not exist"));
  std::filesystem::permissions(folder_.path(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec |
                                                   std::filesystem::perms::others_exec);
  const bool is_root = ::geteuid() == 0;
  ASSERT_EQ(is_root ? ::seteuid(65534) : 0, 0);  // root may write everywhere
  const auto error = error_of([&] { AtomicFile file(folder_ / "x"); });
  ASSERT_EQ(is_root ? ::seteuid(0) : 0, 0);
  std::filesystem::permissions(folder_.path(), std::filesystem::perms::owner_all);
  EXPECT_THAT(error, Refusal(ErrorKind::Resource, "this user may not write there"));
}

TEST(AtomicFile, KnowsWhatAnInterruptedWriteLeavesBehind) {
  EXPECT_TRUE(AtomicFile::is_leftover("a.safetensors.partial-123"));
  EXPECT_FALSE(AtomicFile::is_leftover("a.safetensors"));
  EXPECT_FALSE(AtomicFile::is_leftover(".partial-123"));
  EXPECT_FALSE(AtomicFile::is_leftover("a.partial-"));
  EXPECT_FALSE(AtomicFile::is_leftover("a.partial-12x"));
}

}  // namespace
}  // namespace assay::io
