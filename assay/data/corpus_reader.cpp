#include "assay/data/corpus_reader.h"

#include <fmt/format.h>

#include <utility>

#include "assay/core/error.h"
#include "assay/core/hash.h"
#include "assay/core/plan.h"
#include "assay/core/twin.h"

namespace assay::data {
namespace {

/// Naming a field does nothing for text that has none; in a folder it is for the other files.
void refuse_field(const CorpusFile& file, const CorpusOptions& options) {
  if (options.field == CorpusOptions{}.field || ASSAY_TWIN("data.field_of_plain_text_ignored")) return;
  throw Error(ErrorKind::Usage,
              fmt::format("reading \"{}\": the field \"{}\" must be one of JSONL or Parquet, but plain text has no "
                          "fields; leave the field out, or give JSONL (.jsonl)",
                          file.shown, options.field));
}

FileFacts facts_of(const CorpusFile& file, const io::ByteStream& stream) {
  return {file.shown, stream.file(), stream.consumed(), stream.digest()};
}

}  // namespace

std::string source_name(const CorpusFile& file, int64_t number) {
  switch (file.kind) {
    case FileKind::JsonLines: return fmt::format("{}, line {}", file.origin, number);
    case FileKind::Parquet: return fmt::format("{}, row {}", file.origin, number);
    case FileKind::Text: break;
  }
  return fmt::format("{}, document {}", file.origin, number - 1);
}

std::string_view strip(std::string_view text) {
  constexpr std::string_view kWhiteSpace = " \t\n\r\f\v";
  const size_t begin = text.find_first_not_of(kWhiteSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kWhiteSpace) + 1 - begin);
}

void refuse_empty_corpus(const std::string& path, int64_t read) {
  throw Error(
      ErrorKind::Data,
      fmt::format("reading \"{}\": the data must hold at least one document that is not empty, but it holds {}; "
                  "name a file with text in it",
                  path, read == 0 ? "nothing" : format_counted(read, "empty one")));
}

CorpusReader::CorpusReader(CorpusFiles files, CorpusOptions options)
    : files_(std::move(files)), options_(std::move(options)) {
  if (options_.separator.empty()) {
    throw Error(ErrorKind::Usage,
                "reading documents: the separator must not be empty, but it is; leave it out for the "
                "default, <|endoftext|>");
  }
  if (files_.files.size() != 1 || files_.files[0].kind == FileKind::JsonLines) return;
  const CorpusFile& only = files_.files[0];
  const bool was_named = only.path == files_.path || files_.is_standard_input();
  if (was_named && io::state_of(only.path)) {
    require_readable_kind(only);
    if (only.kind == FileKind::Text) refuse_field(only, options_);
  }
}

bool CorpusReader::open_next() {
  if (file_ == files_.files.size()) return false;
  pieces_ = open_pieces(files_.files[file_], options_);
  return true;
}

void CorpusReader::close() {
  finished_.push_back(facts_of(files_.files[file_], pieces_->stream()));
  finished_bytes_ += finished_.back().hashed_bytes;
  pieces_.reset();
  ++file_;
}

std::optional<FilePiece> CorpusReader::next_piece() {
  while (pieces_ || open_next()) {
    if (auto piece = pieces_->next()) {
      piece->place.file = static_cast<uint32_t>(file_);
      return piece;
    }
    close();
  }
  return std::nullopt;
}

std::optional<StreamedDocument> CorpusReader::next() {
  while (!is_limited_) {
    const std::optional<FilePiece> piece = next_piece();
    if (!piece) break;
    const std::string_view text = strip(piece->text);
    const bool is_full = options_.limit > 0 && documents_ == options_.limit;
    if (is_full && !text.empty()) {
      is_limited_ = true;
      break;
    }
    ++read_;
    if (text.empty() && !ASSAY_TWIN("data.empty_documents_kept")) {
      ++dropped_;
      continue;
    }
    ++documents_;
    const uint64_t content = hash64(text);
    return StreamedDocument{text, piece->group, content, ids_.next(content), piece->place};
  }
  return std::nullopt;
}

void CorpusReader::require_documents() const {
  if (documents_ == 0) refuse_empty_corpus(files_.path, read_);
}

uint64_t CorpusReader::consumed() const {
  return finished_bytes_ + (pieces_ ? pieces_->consumed() : 0);
}

std::vector<FileFacts> CorpusReader::facts() const {
  std::vector<FileFacts> all = finished_;
  if (pieces_) all.push_back(facts_of(files_.files[file_], pieces_->stream()));
  return all;
}

CorpusMark CorpusReader::mark() const {
  return {.file = static_cast<int64_t>(file_),
          .stream = pieces_ ? pieces_->mark() : io::StreamMark{},
          .read = read_,
          .dropped = dropped_};
}

void CorpusReader::go_on(const CorpusMark& mark, const std::vector<FileFacts>& earlier) {
  ASSAY_ASSERT(file_ == 0 && !pieces_ && mark.file <= std::ssize(files_.files));
  for (; std::cmp_less(file_, mark.file); ++file_) {
    const CorpusFile& file = files_.files[file_];
    const FileFacts& before = earlier.at(file_);
    const std::optional<io::FileState> now = io::state_of(file.path);
    const bool is_same = now && now->bytes == before.state.bytes && hash_file(file.path) == before.hash;
    if (!is_same && !ASSAY_TWIN("data.changed_files_go_on")) {
      io::Source{.name = file.shown}.refuse(
          "the file must be the one that was read before, but it has changed; put it back as it was, or begin again");
    }
    finished_.push_back(before);
    finished_bytes_ += before.hashed_bytes;
  }
  if (mark.stream.number > 0 && open_next()) pieces_->skip_to(mark.stream);
  read_ = mark.read;
  dropped_ = mark.dropped;
}

void CorpusReader::remember(uint64_t content) {
  ids_.next(content);
  ++documents_;
}

}  // namespace assay::data
