// The documents of one file as they stand there: pieces of plain text, lines of JSONL, rows of Parquet, each with the
// place by which it is found again. One interface for the three, so that a reader of a corpus knows none of them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "assay/data/corpus_files.h"
#include "assay/data/token_block.h"
#include "assay/io/lines.h"

namespace assay::data {

struct CorpusOptions {
  std::string separator = "<|endoftext|>";  ///< between documents of plain text
  std::string field = "text";               ///< of a JSONL line or a row of Parquet
  std::string group_field = {};             ///< of such a line or row: names the document's group; empty: none is read
  int64_t limit = 0;                        ///< documents kept; 0: all
};

/// A document with the white space around it; valid until the next one is asked for.
struct FilePiece {
  std::string_view text, group;
  DocumentPlace place;  ///< within the file: which file it is says who reads several
};

class FilePieces {
 public:
  virtual ~FilePieces() = default;

  /// The next one; nothing at the end. Error(Data) as CorpusReader::next.
  virtual std::optional<FilePiece> next() = 0;
  /// Where the reader stands between two pieces, and the way back there before the first is asked for: Error(Data)
  /// where the bytes before are not those that were marked.
  virtual io::StreamMark mark() const = 0;
  virtual void skip_to(const io::StreamMark& mark) = 0;
  /// Bytes of the file that the pieces so far make up, in proportion to the rest.
  virtual uint64_t consumed() const = 0;
  /// The file in the order of its bytes, as far as it was taken and hashed.
  virtual const io::ByteStream& stream() const = 0;
};

/// Error(Data) where the file is absent, of an unknown kind, or has no fields to group by.
std::unique_ptr<FilePieces> open_pieces(const CorpusFile& file, const CorpusOptions& options);

}  // namespace assay::data
