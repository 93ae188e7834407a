#include "assay/data/file_pieces.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/data/parquet_rows.h"
#include "assay/io/json_lines.h"

namespace assay::data {
namespace {

void refuse_grouping(const CorpusFile& file, const CorpusOptions& options) {
  if (options.group_field.empty()) return;
  throw Error(ErrorKind::Data, fmt::format("reading \"{}\": documents are grouped by the field \"{}\" of JSONL "
                                           "lines, but plain text has no fields; give JSONL, or leave the grouping out",
                                           file.shown, options.group_field));
}

/// Bytes of a stretch of text; the twin counts characters, as a language with characters for bytes would.
uint32_t bytes_of(std::string_view piece) {
  const auto begins_character = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
  if (ASSAY_TWIN("data.places_count_characters"))
    return static_cast<uint32_t>(std::ranges::count_if(piece, begins_character));
  return static_cast<uint32_t>(piece.size());
}

/// Plain text between separators.
class TextPieces : public FilePieces {
 public:
  TextPieces(const CorpusFile& file, const CorpusOptions& options)
      : pieces_(file.path, options.separator, ErrorKind::Data, file.shown) {}

  std::optional<FilePiece> next() override {
    const auto piece = pieces_.next();
    if (!piece) return std::nullopt;
    return FilePiece{*piece, {}, {.offset = pieces_.offset(), .bytes = bytes_of(*piece), .number = pieces_.number()}};
  }
  io::StreamMark mark() const override { return pieces_.mark(); }
  void skip_to(const io::StreamMark& mark) override { pieces_.skip_to(mark); }
  uint64_t consumed() const override { return pieces_.stream().consumed(); }
  const io::ByteStream& stream() const override { return pieces_.stream(); }

 private:
  io::PieceReader pieces_;
};

/// Fields of JSON objects, one a line.
class LinePieces : public FilePieces {
 public:
  LinePieces(const CorpusFile& file, const CorpusOptions& options)
      : lines_(file.path, file.shown, "correct that line, or name another field"),
        field_(options.field),
        group_field_(options.group_field) {}

  std::optional<FilePiece> next() override {
    const auto object = lines_.next();
    if (!object) return std::nullopt;
    group_ = group_field_.empty() ? "" : object->text(group_field_);
    text_ = object->text(field_);
    return FilePiece{
        text_,
        group_,
        {.offset = lines_.offset(), .bytes = static_cast<uint32_t>(lines_.bytes()), .number = lines_.number()}};
  }
  io::StreamMark mark() const override { return lines_.pieces().mark(); }
  void skip_to(const io::StreamMark& mark) override { lines_.pieces().skip_to(mark); }
  uint64_t consumed() const override { return stream().consumed(); }
  const io::ByteStream& stream() const override { return lines_.pieces().stream(); }

 private:
  io::JsonLines lines_;
  std::string field_, group_field_, text_, group_;
};

/// Columns of a Parquet file. Its texts lie where its footer says and are read from there; beside them the file is
/// hashed in the order of its bytes: in proportion to its rows, so that a sample costs its share, and up to the end of
/// all that texts came from when somebody asks for the hash.
class RowPieces : public FilePieces {
 public:
  RowPieces(const CorpusFile& file, const CorpusOptions& options)
      : rows_(file.path, file.shown, columns_of(options)),
        stream_(file.path, ErrorKind::Data, file.shown),
        has_groups_(!options.group_field.empty()) {
    if (rows_.file() == stream_.file()) return;
    rows_.source().refuse(
        "the file must stay as it is while it is read, but it was written to; wait until nothing writes to it, then "
        "start again");
  }

  std::optional<FilePiece> next() override {
    const bool found = rows_.next();
    hash_up_to(found ? std::min(consumed(), rows_.end_of_read()) : rows_.end_of_read());
    if (!found) return std::nullopt;
    const std::string_view text = rows_.text(0);
    return FilePiece{text,
                     has_groups_ ? rows_.text(1) : std::string_view{},
                     {.offset = static_cast<uint64_t>(rows_.number() - 1),
                      .bytes = static_cast<uint32_t>(text.size()),
                      .number = rows_.number()}};
  }

  io::StreamMark mark() const override {
    const int64_t rows = rows_.number();
    return {static_cast<uint64_t>(rows), rows, stream().consumed(), stream().digest()};
  }

  void skip_to(const io::StreamMark& mark) override {
    hash_up_to(mark.consumed);
    const bool is_same = stream_.consumed() == mark.consumed && stream_.digest() == mark.digest;
    if (!is_same && !ASSAY_TWIN("data.marks_of_other_rows_fit")) {
      rows_.source().refuse("its first " + std::to_string(mark.consumed) +
                            " bytes must be those that were read before, but they have changed; put the file back as "
                            "it was, or begin again");
    }
    rows_.go_to(mark.number);
  }

  uint64_t consumed() const override {
    const double share = static_cast<double>(rows_.number()) / static_cast<double>(std::max<int64_t>(1, rows_.rows()));
    return std::max<uint64_t>(1, static_cast<uint64_t>(share * static_cast<double>(rows_.file().bytes)));
  }
  const io::ByteStream& stream() const override {
    hash_up_to(rows_.end_of_read());
    return stream_;
  }

 private:
  static std::vector<std::string> columns_of(const CorpusOptions& options) {
    if (options.group_field.empty()) return {options.field};
    return {options.field, options.group_field};
  }

  /// By whole buffers, so that two readers that stand at the same row have hashed the same bytes.
  void hash_up_to(uint64_t end) const {
    while (stream_.consumed() < end && stream_.read(buffer_) > 0) {
    }
    if (end < rows_.file().bytes) return;
    while (stream_.read(buffer_) > 0) {  // at the end of the file the stream says whether it has changed
    }
  }

  ParquetRows rows_;
  mutable io::ByteStream stream_;
  bool has_groups_;
  mutable std::vector<char> buffer_ = std::vector<char>(size_t{1} << 17);
};

}  // namespace

std::unique_ptr<FilePieces> open_pieces(const CorpusFile& file, const CorpusOptions& options) {
  require_readable_kind(file);
  switch (file.kind) {
    case FileKind::JsonLines: return std::make_unique<LinePieces>(file, options);
    case FileKind::Parquet: return std::make_unique<RowPieces>(file, options);
    case FileKind::Text: break;
  }
  refuse_grouping(file, options);
  return std::make_unique<TextPieces>(file, options);
}

}  // namespace assay::data
