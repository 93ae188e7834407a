#include "assay/core/hash.h"

#include <gtest/gtest.h>

#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"

namespace assay {
namespace {

TEST(Hash, GivesTheValuesOfTheXxHashSpecification) {
  EXPECT_EQ(hex64(hash64(std::string_view(""))), "2d06800538d394c2");
  EXPECT_EQ(Hasher().digest128(), "99aa06d3014798d86001c324468d497f");
}

TEST(Hash, PiecesDoNotMatterButLengthsOfTextsDo) {
  const std::string text(5000, 'x');
  const auto bytes = std::as_bytes(std::span(text));
  Hasher pieces;
  for (size_t i = 0; i < text.size(); i += 7) pieces.add(bytes.subspan(i, std::min<size_t>(7, text.size() - i)));
  EXPECT_EQ(pieces.digest128(), Hasher().add(bytes).digest128());
  EXPECT_EQ(pieces.digest64(), hash64(text));
  EXPECT_NE(Hasher().add("ab").add("c").digest128(), Hasher().add("a").add("bc").digest128());
}

TEST(Hash, AFileHashesAsItsBytes) {
  const TemporaryFolder folder;
  const std::string text(3'000'000, 'y');
  EXPECT_EQ(hash_file(folder.write("y", text)), Hasher().add(std::as_bytes(std::span(text))).digest128());
  EXPECT_THAT(error_of([&] { hash_file(folder / "absent"); }), Refusal(ErrorKind::Data, "No such file"));
}

}  // namespace
}  // namespace assay
