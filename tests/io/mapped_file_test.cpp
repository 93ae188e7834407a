#include "assay/io/mapped_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "assay/core/machine.h"
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

TEST(MappedFile, PagesThatWereGivenBackComeFromTheFileAgain) {
  const TemporaryFolder folder;
  std::string bytes(size_t{64} << 20, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * i >> 7);
  const auto file = MappedFile::open(folder.write("a", bytes), ErrorKind::Data);
  const std::span<const std::byte> inside = file->bytes().subspan(100, bytes.size() - 5000);  // no page's ends
  EXPECT_EQ(file->text(), bytes);
  const int64_t read = resident_bytes();
  release_pages(inside);
  EXPECT_LT(resident_bytes(), read - (int64_t{56} << 20));
  EXPECT_EQ(file->text(), bytes);
  release_pages(inside.first(10));  // less than a page: nothing to give back
  EXPECT_EQ(file->text(), bytes);

  const Array owned = make_array<uint8_t>({1 << 20}, std::vector<uint8_t>(1 << 20, 7));
  release_pages(owned);
  EXPECT_EQ(values<uint8_t>(owned)[1 << 19], 7) << "memory of its own must stay as it is";
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
