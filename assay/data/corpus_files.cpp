#include "assay/data/corpus_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/data/parquet_rows.h"
#include "assay/io/byte_stream.h"
#include "assay/io/file_descriptor.h"

namespace assay::data {
namespace {

namespace fs = std::filesystem;

bool has_ending(const std::string& name, std::string_view ending) {
  return name.ends_with(ending) || name.ends_with(std::string(ending) + ".zst");
}

uint64_t size_of_file(const std::string& path) {
  const std::optional<io::FileState> state = io::state_of(path);
  return state ? state->bytes : 0;
}

FileKind kind_by_name(const std::string& path) {
  if (has_ending(path, ".jsonl")) return FileKind::JsonLines;
  return path.ends_with(".parquet") ? FileKind::Parquet : FileKind::Text;
}

CorpusFile named_file(const std::string& path, const std::string& origin) {
  return {.path = path, .shown = path, .origin = origin, .kind = kind_by_name(path), .bytes = size_of_file(path)};
}

/// Whether the first character that is not white space is a brace: standard input has no name to tell JSONL by.
bool begins_with_object(const std::string& path) {
  io::ByteStream stream(path, ErrorKind::Data);
  std::array<char, 4096> buffer{};
  while (const size_t count = stream.read(buffer)) {
    const std::string_view text(buffer.data(), count);
    const size_t first = text.find_first_not_of(" \t\n\r\f\v");
    if (first != std::string_view::npos) return text[first] == '{';
  }
  return false;
}

[[noreturn]] void refuse_folder(const std::string& folder, const std::error_code& error) {
  throw Error(ErrorKind::Data, fmt::format("reading folder \"{}\": everything below it must be readable, but the "
                                           "system says: {}; give permission, or name another folder",
                                           folder, error.message()));
}

/// Why an entry is no file of the corpus; empty where it is one, or a folder to look into.
std::string reason_to_pass(const fs::directory_entry& entry) {
  std::error_code error;
  if (entry.path().filename().string().starts_with('.')) return "hidden";
  if (entry.is_symlink(error) && !entry.exists(error)) return "a link that leads nowhere";
  if (entry.is_symlink(error) && entry.is_directory(error)) return "a link to a folder, which may lead in a circle";
  if (entry.is_directory(error) || entry.is_regular_file(error)) return "";
  return "no plain file";
}

void add_files_below(const std::string& folder, CorpusFiles& corpus) {
  std::error_code error;
  std::vector<fs::path> paths;
  std::vector<std::pair<fs::path, std::string>> passed;
  fs::recursive_directory_iterator entry(folder, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    const std::string reason = reason_to_pass(*entry);
    std::error_code unknown;
    if (!reason.empty()) {
      passed.emplace_back(entry->path(), reason);
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file(unknown)) {
      paths.push_back(entry->path());
    }
  }
  if (error) refuse_folder(folder, error);
  std::sort(paths.begin(), paths.end());
  std::sort(passed.begin(), passed.end());
  for (const fs::path& path : paths)
    corpus.files.push_back(named_file(path.string(), path.lexically_relative(folder).string()));
  for (const auto& [path, reason] : passed)
    corpus.passed_over.push_back(fmt::format("{} ({})", path.lexically_relative(folder).string(), reason));
}

struct ForeignKind {
  std::string_view ending;
  std::string_view found;
  std::string_view advice;  ///< holds {} for the file and {} for one of lines beside it where it names them
};

constexpr std::array<ForeignKind, 10> kForeignKinds{{
    {".json", "one JSON value", "turn a list into lines with `jq -c '.[]'`"},
    {".parquet.zst", "a Parquet file in zstd", "unpack it with unzstd: Parquet is compressed within"},
    {".parquet", "a Parquet file, and this build of Assay has no Arrow library to read it with",
     "build it where Arrow and Parquet are installed, or with ASSAY_ARROW_DIR (docs/corpora.md), or turn the file into "
     "lines with `duckdb -c \"COPY (FROM '{}') TO '{}' (FORMAT json)\"`"},
    {".arrow", "an Arrow file", "turn it into lines with the program that made it (in Python: Dataset.to_json)"},
    {".gz", "compressed with gzip", "unpack it with gunzip; what is compressed with zstd is read as it is"},
    {".bz2", "compressed with bzip2", "unpack it with bunzip2; what is compressed with zstd is read as it is"},
    {".xz", "compressed with xz", "unpack it with unxz; what is compressed with zstd is read as it is"},
    {".zip", "an archive", "unpack it with unzip and name the folder"},
    {".tar", "an archive", "unpack it with tar -xf and name the folder"},
    {".tgz", "an archive", "unpack it with tar -xf and name the folder"},
}};

std::string in_sql(std::string_view path) {
  std::string text;
  for (const char c : path) text += c == '\'' ? "''" : std::string(1, c);
  return text;
}

std::string advice_on(const ForeignKind& kind, const CorpusFile& file) {
  const std::string lines = fs::path(file.path).replace_extension(".jsonl").string();
  return fmt::format(fmt::runtime(kind.advice), in_sql(file.path), in_sql(lines));
}

}  // namespace

uint64_t CorpusFiles::bytes() const {
  uint64_t total = 0;
  for (const CorpusFile& file : files) total += file.bytes;
  return total;
}

CorpusFiles find_corpus_files(const std::string& path) {
  CorpusFiles corpus{.path = path, .files = {}, .passed_over = {}};
  std::error_code unknown;
  if (path == "-") {
    corpus.spooled = std::make_shared<const io::SpooledInput>();
    const std::string& kept = corpus.spooled->path();
    corpus.files.push_back({.path = kept,
                            .shown = "standard input",
                            .origin = "standard input",
                            .kind = begins_with_object(kept) ? FileKind::JsonLines : FileKind::Text,
                            .bytes = size_of_file(kept)});
  } else if (fs::is_directory(path, unknown)) {
    add_files_below(path, corpus);
  } else {
    corpus.files.push_back(named_file(path, fs::path(path).filename().string()));
  }
  return corpus;
}

void require_readable_kind(const CorpusFile& file) {
  if (file.kind == FileKind::JsonLines || ASSAY_TWIN("data.any_file_is_text")) return;
  if (file.kind == FileKind::Parquet && !arrow_version().empty()) return;
  for (const ForeignKind& kind : kForeignKinds) {
    if (!has_ending(file.path, kind.ending)) continue;
    io::open_for_reading(file.path, ErrorKind::Data);  // a name of that ending may have no file behind it
    throw Error(ErrorKind::Data, fmt::format("reading \"{}\": documents must be plain text, JSONL (one object a "
                                             "line, .jsonl) or Parquet, but this is {}; {}",
                                             file.shown, kind.found, advice_on(kind, file)));
  }
}

}  // namespace assay::data
