// Texts of a Parquet file, row after row: columns of strings, read page by page, so that a row group larger than memory
// passes through it. Rows that are not wanted are passed over by whole row groups and pages. Parquet is read by the
// Arrow library where the build has one (parquet_arrow.cpp); elsewhere (parquet_absent.cpp) every such file is refused
// by require_readable_kind before it comes here. Memory: a page and its dictionary of each column.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "assay/io/file_descriptor.h"
#include "assay/io/source.h"

namespace assay::data {

/// "18.1.0": the Arrow library that reads Parquet; empty where this build has none.
std::string arrow_version();

class ParquetRows {
 public:
  /// `columns` are read, by their names at the top of the schema. `shown` is what messages call the file. Error(Data)
  /// where the file is absent, no Parquet file or damaged, where it has no such column (near matches), or one that does
  /// not hold strings.
  ParquetRows(const std::string& path, const std::string& shown, const std::vector<std::string>& columns);
  ~ParquetRows();

  /// Goes to the next row; false behind the last one. Error(Data) by the row's number where a text is null, not UTF-8
  /// or longer than 256 MiB, and where the file is damaged.
  bool next();
  /// The text of that row in the column of this place in `columns`, valid until the next call of next() or go_to().
  std::string_view text(size_t column) const;
  /// Which row that is, counted from 1; 0 before the first, and behind go_to(row) the one before.
  int64_t number() const;

  /// The row of this place, counted from 0, is the next one. Error(Data) where the file has fewer rows.
  void go_to(int64_t row);

  int64_t rows() const;
  /// The file as it was when it was opened.
  const io::FileState& file() const;
  /// Everything that came out of the file so far lies before this byte, its footer aside; all bytes at its end.
  uint64_t end_of_read() const;
  const io::Source& source() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace assay::data
