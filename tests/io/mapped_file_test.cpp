#include "assay/io/mapped_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"

namespace assay::io {
namespace {

TEST(MappedFile, ShowsTheBytesOfTheFileEvenAfterItIsRemoved) {
  const TemporaryFolder folder;
  const std::string path = folder.write("a", std::string("x\0y", 3));
  const auto file = MappedFile::open(path, ErrorKind::Data);
  std::filesystem::remove(path);
  EXPECT_EQ(file->text(), std::string_view("x\0y", 3));
}

TEST(MappedFile, RefusesWhatIsNotAReadableFileWithBytes) {
  const TemporaryFolder folder;
  const auto refusal_of = [](const std::string& path) {
    return error_of([&] { MappedFile::open(path, ErrorKind::Model); });
  };
  folder.write("corpus.txt", "x");
  EXPECT_THAT(refusal_of(folder / "corups.txt"),
              Refusal(ErrorKind::Model, "must exist, but there is none of this name; closest: \"corpus.txt\""));
  EXPECT_THAT(refusal_of(folder / "zzz"), Refusal(ErrorKind::Model, "there is none of this name; check the path"));
  std::filesystem::create_symlink("nowhere.txt", folder / "dangling.txt");
  EXPECT_THAT(refusal_of(folder / "dangling.txt"),
              Refusal(ErrorKind::Model, "but this is a link to \"nowhere.txt\", where there is none; mend the link"));
  EXPECT_THAT(refusal_of(folder / "corpus.txt/x"), Refusal(ErrorKind::Model, "must exist"));
  EXPECT_THAT(refusal_of(folder / "no/such/folder"), Refusal(ErrorKind::Model, "must exist"));
  EXPECT_THAT(refusal_of(folder.path()), Refusal(ErrorKind::Model, "this is a folder"));
  EXPECT_THAT(refusal_of(folder.write("empty", "")), Refusal(ErrorKind::Model, "must not be empty"));
  EXPECT_THAT(refusal_of("/dev/null"), Refusal(ErrorKind::Model, "a plain file is needed"));
  if (::geteuid() == 0) return;  // root may read everything
  const std::string secret = folder.write("secret", "x");
  std::filesystem::permissions(secret, std::filesystem::perms::none);
  EXPECT_THAT(refusal_of(secret), Refusal(ErrorKind::Model, "must be readable"));
}

}  // namespace
}  // namespace assay::io
