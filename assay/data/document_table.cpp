#include "assay/data/document_table.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "assay/core/error.h"
#include "assay/core/hash.h"
#include "assay/core/twin.h"
#include "assay/data/parquet_rows.h"
#include "assay/io/json_lines.h"
#include "assay/io/text_file.h"

namespace assay::data {
namespace {

const char* name_of_piece(FileKind kind) {
  switch (kind) {
    case FileKind::JsonLines: return "line ";
    case FileKind::Parquet: return "row ";
    case FileKind::Text: break;
  }
  return "piece ";
}

void require_same_text(std::string_view text, const DocumentEntry& entry, const CorpusFile& file) {
  if (hash64(text) == entry.content || ASSAY_TWIN("data.changed_text_is_shown")) return;
  io::Source{.name = file.shown}.refuse(
      name_of_piece(file.kind) + std::to_string(entry.place.number) +
      " must be the text that was tokenized, but it has changed since; put the file back as it was, or start again");
}

/// Documents of one file by their places, as they stand there.
class TextsOfFile {
 public:
  TextsOfFile(const CorpusFile& file, const std::string& field) : file_(file), field_(field) {
    require_readable_kind(file);
    if (file.kind == FileKind::Parquet)
      rows_.emplace(file.path, file.shown, std::vector{field});
    else
      bytes_.emplace(file.path, ErrorKind::Data, file.shown);
  }

  /// Valid until the next call.
  std::string_view at(const DocumentPlace& place) {
    if (rows_) {
      rows_->go_to(place.number - 1);
      if (rows_->next()) return rows_->text(0);
      rows_->source().refuse("row " + std::to_string(place.number) +
                             " must be there, as it was when it was read before, but the file ends before; put it "
                             "back as it was");
    }
    const std::string_view piece = bytes_->at(place.offset, place.bytes);
    if (file_.kind == FileKind::Text) return piece;
    return of_line_ = io::parse_json_line(piece, file_.shown, place.number, "put the file back as it was").text(field_);
  }

 private:
  const CorpusFile& file_;
  const std::string& field_;
  std::optional<io::TextFile> bytes_;
  std::optional<ParquetRows> rows_;
  std::string of_line_;
};

}  // namespace

DocumentTable::DocumentTable(std::vector<std::shared_ptr<const TokenBlock>> blocks, int64_t limit, CorpusFiles files,
                             CorpusOptions options, std::vector<std::string> groups)
    : blocks_(std::move(blocks)), files_(std::move(files)), options_(std::move(options)), groups_(std::move(groups)) {
  for (const auto& block : blocks_) {
    begins_.push_back(size_);
    size_ += block->documents();
  }
  size_ = std::min(size_, limit);
}

DocumentEntry DocumentTable::entry(int64_t document) const {
  ASSAY_ASSERT(document >= 0 && document < size_);
  const auto after = std::upper_bound(begins_.begin(), begins_.end(), document);
  const auto block = static_cast<size_t>(after - begins_.begin()) - 1;
  return blocks_[block]->document(document - begins_[block]);
}

std::string DocumentTable::source(int64_t document) const {
  const DocumentPlace place = entry(document).place;
  return source_name(files_.files.at(place.file), place.number);
}

std::string DocumentTable::content_hash() const {
  Hasher hasher;
  for (int64_t document = 0; document < size_; ++document) hasher.add(entry(document).id);
  return hasher.digest128();
}

void DocumentTable::visit(std::span<const int64_t> documents,
                          const std::function<void(int64_t document, std::string_view text)>& visit) const {
  std::optional<TextsOfFile> texts;
  std::optional<uint32_t> open_file;
  for (const int64_t document : documents) {
    const DocumentEntry found = entry(document);
    const CorpusFile& file = files_.files.at(found.place.file);
    if (open_file != found.place.file) {
      texts.emplace(file, options_.field);
      open_file = found.place.file;
    }
    const std::string_view text = strip(texts->at(found.place));
    require_same_text(text, found, file);
    visit(document, text);
  }
}

std::string DocumentTable::text(int64_t document) const {
  std::string found;
  visit(std::span(&document, 1), [&](int64_t, std::string_view text) { found = text; });
  return found;
}

}  // namespace assay::data
