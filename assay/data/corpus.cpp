#include "assay/data/corpus.h"

#include <fmt/format.h>

#include <utility>

#include "assay/core/hash.h"
#include "assay/io/utf8.h"

namespace assay::data {

std::string Corpus::content_hash() const {
  Hasher hasher;
  for (const Document& document : documents) hasher.add(document.id);
  return hasher.digest128();
}

Corpus read_corpus(const std::string& path, const CorpusOptions& options) {
  CorpusReader reader(find_corpus_files(path), options);
  Corpus corpus;
  while (const auto document = reader.next()) {
    const CorpusFile& file = reader.files().files[document->place.file];
    corpus.documents.push_back({std::string(document->text), document->id, std::string(document->group),
                                source_name(file, document->place.number)});
  }
  reader.require_documents();
  corpus.read = reader.read();
  corpus.dropped = reader.dropped();
  corpus.is_limited = reader.is_limited();
  return corpus;
}

Corpus make_corpus(const std::vector<std::string>& texts, const std::string& source) {
  Corpus corpus;
  OccurrenceIds ids;
  for (const std::string& given : texts) {
    const std::string name = fmt::format("{}, document {}", source, corpus.read++);
    io::require_utf8(given, 0, {.name = name});
    const std::string_view text = strip(given);
    if (text.empty()) {
      ++corpus.dropped;
    } else {
      corpus.documents.push_back({std::string(text), ids.next(hash64(text)), "", name});
    }
  }
  if (corpus.documents.empty()) refuse_empty_corpus(source, corpus.read);
  return corpus;
}

}  // namespace assay::data
