// Documents one after the other, from plain text between separators, JSONL, Parquet or all of them in a folder.
// Exact: texts and ids are those of read_corpus (corpus.h). Memory: one document, the buffers of one file, and 18 to 36
// bytes a document to count occurrences by; the corpus itself may be larger than memory.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "assay/data/corpus_files.h"
#include "assay/data/file_pieces.h"
#include "assay/data/occurrence_ids.h"
#include "assay/data/token_block.h"

namespace assay::data {

/// A document on its way through; its texts are valid until the next one is asked for.
struct StreamedDocument {
  std::string_view text;  ///< UTF-8, stripped, not empty
  std::string_view group;
  uint64_t content = 0;  ///< hash of the text
  ExampleId id = 0;      ///< hash of the text and of its occurrence in the corpus
  DocumentPlace place;
};

/// What was read of a file.
struct FileFacts {
  std::string path;           ///< as messages show it
  io::FileState state;        ///< when it was opened
  uint64_t hashed_bytes = 0;  ///< taken from it: all of them, unless a limit stopped the reading
  std::string hash;           ///< XXH3-128 of those
};

/// Where a reader stands between two documents: enough for another reader to go on from there.
struct CorpusMark {
  int64_t file = 0;  ///< the one it is in
  io::StreamMark stream;
  int64_t read = 0, dropped = 0;
};

/// "stories.txt, document 3", "stories.jsonl, line 3" or "stories.parquet, row 3": pieces counted from 0, lines and
/// rows from 1.
std::string source_name(const CorpusFile& file, int64_t number);

/// A piece of text without white space at both ends.
std::string_view strip(std::string_view text);

/// A corpus of `read` pieces, all of them empty.
[[noreturn]] void refuse_empty_corpus(const std::string& path, int64_t read);

class CorpusReader {
 public:
  /// Error(Usage) for an empty separator, or a field that one file of plain text cannot have.
  CorpusReader(CorpusFiles files, CorpusOptions options);

  /// The next document that is not empty; nothing at the end or beyond the limit. Error(Data): a file that is absent,
  /// of an unknown kind, damaged or written to meanwhile, text that is not UTF-8 (byte offset), a line that is no JSON
  /// object or lacks the field (near matches), a row of Parquet without a text.
  std::optional<StreamedDocument> next();

  /// Error(Data) where the corpus turned out to hold no document.
  void require_documents() const;

  const CorpusFiles& files() const { return files_; }
  const CorpusOptions& options() const { return options_; }
  int64_t read() const { return read_; }            ///< pieces seen, empty ones included
  int64_t dropped() const { return dropped_; }      ///< empty pieces
  int64_t documents() const { return documents_; }  ///< handed out
  bool is_limited() const { return is_limited_; }   ///< whether the limit left documents unread
  uint64_t consumed() const;                        ///< bytes of the files so far; of Parquet in proportion to its rows
  /// Of the files that were opened, the current one as far as it was read.
  std::vector<FileFacts> facts() const;

  CorpusMark mark() const;
  /// Goes on from the mark of an earlier reader of the same files, before the first document is asked for: `earlier`
  /// are the facts that reader had. Files that it had finished are hashed again; Error(Data) by name where one has
  /// changed.
  void go_on(const CorpusMark& mark, const std::vector<FileFacts>& earlier);
  /// A document that an earlier reader handed out: its content counts as an occurrence.
  void remember(uint64_t content);

 private:
  bool open_next();
  void close();
  std::optional<FilePiece> next_piece();

  CorpusFiles files_;
  CorpusOptions options_;
  size_t file_ = 0;  // the one that is open, or comes next
  std::unique_ptr<FilePieces> pieces_;
  std::vector<FileFacts> finished_;
  OccurrenceIds ids_;
  int64_t read_ = 0, dropped_ = 0, documents_ = 0;
  uint64_t finished_bytes_ = 0;
  bool is_limited_ = false;
};

}  // namespace assay::data
