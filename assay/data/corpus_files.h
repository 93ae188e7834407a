// Which files a corpus is made of: one file, every plain file below a folder in the order of the paths, or standard
// input. What is passed over is listed with its reason: names that begin with a dot, links to folders (which may lead
// round in a circle), links that lead nowhere, and what is no plain file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "assay/io/spool.h"

namespace assay::data {

enum class FileKind {
  Text,       ///< documents between separators
  JsonLines,  ///< one object a line
  Parquet,    ///< one row a document
};

struct CorpusFile {
  std::string path;
  std::string shown;   ///< in messages: the path as it was typed, or "standard input"
  std::string origin;  ///< of its documents: the name without the folder that was given
  FileKind kind = FileKind::Text;
  uint64_t bytes = 0;  ///< as it lies on the disk; 0 where it cannot be seen
};

struct CorpusFiles {
  std::string path;  ///< as it was typed
  std::vector<CorpusFile> files;
  std::vector<std::string> passed_over;               ///< "notes/.git (hidden)"
  std::shared_ptr<const io::SpooledInput> spooled{};  ///< keeps standard input readable

  bool is_standard_input() const { return spooled != nullptr; }
  uint64_t bytes() const;
};

/// The files of `path`: a file, a folder, or "-". Standard input is JSONL where its first character is a brace.
/// Error(Data) where a folder cannot be listed; a file that is absent is refused when it is opened.
CorpusFiles find_corpus_files(const std::string& path);

/// Refuses a file that is none of these kinds by what its name says: a JSON document, an archive; Parquet where this
/// build cannot read it.
void require_readable_kind(const CorpusFile& file);

}  // namespace assay::data
