// A corpus in memory, for those who want all of its texts at once: plain text between separators, JSONL (one object a
// line, also .jsonl.zst), a folder of such files in the order of their names, or standard input. Documents are stripped
// of white space at both ends; empty ones are dropped and counted. What streams is corpus_reader.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "assay/data/corpus_reader.h"

namespace assay::data {

struct Document {
  std::string text;    ///< UTF-8, stripped, not empty
  ExampleId id = 0;    ///< hash of the text and of its occurrence in the corpus
  std::string group;   ///< of a JSONL line, where CorpusOptions asks for it
  std::string source;  ///< "stories.txt, document 3" or "stories.jsonl, line 3": counted from 1, dropped ones included
};

struct Corpus {
  std::vector<Document> documents;
  int64_t read = 0;         ///< pieces seen, empty ones included
  int64_t dropped = 0;      ///< empty pieces
  bool is_limited = false;  ///< whether the limit left documents unread

  /// 32 hex digits over the documents' ids in their order.
  std::string content_hash() const;
};

/// `path` is a file, a folder, or "-" for standard input (one text or JSONL, told apart by its first character).
/// Throws Error(Data): no such file, not UTF-8 (byte offset), a line that is no JSON object or lacks the field (near
/// matches), no document at all. Error(Usage): a field is named, but the file is plain text.
Corpus read_corpus(const std::string& path, const CorpusOptions& options = {});

/// A corpus from texts in memory, under the same rules; `source` names them.
Corpus make_corpus(const std::vector<std::string>& texts, const std::string& source);

}  // namespace assay::data
