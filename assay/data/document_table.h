// What stays of a corpus when its texts have gone by: who its documents are and where they stand. A text that is to be
// shown, or read once more, is fetched from its file again and compared with the hash it had, so that a file that was
// changed meanwhile is refused by its name. 44 bytes a document, mapped where they come from token shards; the texts
// cost nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "assay/data/corpus_files.h"
#include "assay/data/corpus_reader.h"
#include "assay/data/token_block.h"

namespace assay::data {

class DocumentTable {
 public:
  DocumentTable() = default;
  /// Documents of blocks in their order; of more than `limit` the first ones. `files` and `options` are those that they
  /// were read from and by. `groups` has one name a document, or is empty.
  DocumentTable(std::vector<std::shared_ptr<const TokenBlock>> blocks, int64_t limit, CorpusFiles files,
                CorpusOptions options, std::vector<std::string> groups);

  int64_t size() const { return size_; }
  DocumentEntry entry(int64_t document) const;
  /// "stories.txt, document 3".
  std::string source(int64_t document) const;
  /// 32 hex digits over the documents' ids in their order: Corpus::content_hash().
  std::string content_hash() const;
  const std::vector<std::string>& groups() const { return groups_; }
  const CorpusFiles& files() const { return files_; }

  /// Calls `visit` with each of `documents` (ascending) and its text, which is valid during the call. Files are read
  /// once, from the front. Error(Data) by name where a file is gone, or does not hold the text any more.
  void visit(std::span<const int64_t> documents,
             const std::function<void(int64_t document, std::string_view text)>& visit) const;
  std::string text(int64_t document) const;

 private:
  std::vector<std::shared_ptr<const TokenBlock>> blocks_;
  std::vector<int64_t> begins_;  // of each block, in documents
  int64_t size_ = 0;
  CorpusFiles files_;
  CorpusOptions options_;
  std::vector<std::string> groups_;
};

}  // namespace assay::data
