// Parquet where this build has no Arrow library: one sentence that says so, and how to get it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assay/data/corpus.h"
#include "assay/data/parquet_rows.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"

namespace assay::data {
namespace {

TEST(Parquet, IsRefusedWithWhatToDoWithoutArrow) {
  const TemporaryFolder folder;
  EXPECT_EQ(arrow_version(), "");
  folder.write("corpus/a.txt", "text");
  const std::string path = folder.write("corpus/x.parquet", "PAR1");
  for (const std::string& named : {path, folder / "corpus"}) {
    const auto error = error_of([&] { read_corpus(named); });
    EXPECT_THAT(error,
                Refusal(ErrorKind::Data, "this is a Parquet file, and this build of Assay has no Arrow library"));
    EXPECT_THAT(error,
                Refusal(ErrorKind::Data, "build it where Arrow and Parquet are installed, or with ASSAY_ARROW_DIR"));
    EXPECT_THAT(error, Refusal(ErrorKind::Data, "`duckdb -c \"COPY (FROM '" + path + "') TO '" + folder.path() +
                                                    "/corpus/x.jsonl' (FORMAT json)\"`"));
  }
  EXPECT_THAT(error_of([&] { ParquetRows(path, "x.parquet", {"text"}); }),
              Refusal(ErrorKind::Data, "this build of Assay has none"));
}

}  // namespace
}  // namespace assay::data
