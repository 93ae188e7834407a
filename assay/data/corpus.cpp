#include "assay/data/corpus.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "assay/core/error.h"
#include "assay/core/hash.h"
#include "assay/core/plan.h"
#include "assay/core/twin.h"
#include "assay/data/occurrence_ids.h"
#include "assay/io/byte_stream.h"
#include "assay/io/json.h"
#include "assay/io/lines.h"
#include "assay/io/spool.h"
#include "assay/io/utf8.h"

namespace assay::data {
namespace {

namespace fs = std::filesystem;

std::string_view strip(std::string_view text) {
  constexpr std::string_view kWhiteSpace = " \t\n\r\f\v";
  const size_t begin = text.find_first_not_of(kWhiteSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kWhiteSpace) + 1 - begin);
}

/// Takes pieces one by one and makes documents of them.
class Collector {
 public:
  explicit Collector(int64_t limit) : limit_(limit) {}

  /// False when the limit is reached: the piece was not taken.
  bool add(std::string_view piece, std::string source, std::string group = {}) {
    const std::string_view text = strip(piece);
    const bool is_full = limit_ > 0 && std::ssize(corpus_.documents) == limit_;
    if (is_full && !text.empty()) {
      corpus_.is_limited = true;
      return false;
    }
    ++corpus_.read;
    if (text.empty() && !ASSAY_TWIN("data.empty_documents_kept")) {
      ++corpus_.dropped;
    } else {
      corpus_.documents.push_back({std::string(text), ids_.next(hash64(text)), std::move(group), std::move(source)});
    }
    return true;
  }

  Corpus finish() { return std::move(corpus_); }

 private:
  int64_t limit_;
  OccurrenceIds ids_;
  Corpus corpus_;
};

/// A file to read documents from.
struct Input {
  std::string path;
  std::string shown;   ///< in messages: the path as it was typed, or "standard input"
  std::string origin;  ///< in Document::source: the name without the folder that was given
};

/// Naming a field does nothing for text that has none; in a folder it is for the other files.
void refuse_field(const Input& input, const CorpusOptions& options) {
  if (options.field == CorpusOptions{}.field || ASSAY_TWIN("data.field_of_plain_text_ignored")) return;
  throw Error(ErrorKind::Usage,
              fmt::format("reading \"{}\": the field \"{}\" must be one of JSONL lines, but plain text has no fields; "
                          "leave the field out, or give JSONL (.jsonl)",
                          input.shown, options.field));
}

bool has_ending(const std::string& name, std::string_view ending) {
  return name.ends_with(ending) || name.ends_with(std::string(ending) + ".zst");
}

bool add_text(const Input& input, const CorpusOptions& options, Collector& collector) {
  if (!options.group_field.empty()) {
    throw Error(ErrorKind::Data,
                fmt::format("reading \"{}\": documents are grouped by the field \"{}\" of JSONL "
                            "lines, but plain text has no fields; give JSONL, or leave the grouping out",
                            input.shown, options.group_field));
  }
  io::PieceReader pieces(input.path, options.separator, ErrorKind::Data, input.shown);
  while (const auto piece = pieces.next()) {
    if (!collector.add(*piece, fmt::format("{}, document {}", input.origin, pieces.number() - 1))) return false;
  }
  return true;
}

bool add_jsonl(const Input& input, const CorpusOptions& options, Collector& collector) {
  io::LineReader lines(input.path, ErrorKind::Data, input.shown);
  while (const auto line = lines.next()) {
    if (strip(*line).empty()) continue;  // no document at all, not an empty one
    const io::Source source{.name = input.shown,
                            .kind = ErrorKind::Data,
                            .first_line = static_cast<size_t>(lines.number()),
                            .advice = "correct that line"};
    const io::JsonObject object(io::parse_json(*line, source),
                                {.name = fmt::format("{}, line {}", input.shown, lines.number()),
                                 .kind = ErrorKind::Data,
                                 .first_line = 1,
                                 .advice = "correct that line, or name another field"});
    std::string group = options.group_field.empty() ? "" : object.text(options.group_field);
    std::string origin = fmt::format("{}, line {}", input.origin, lines.number());
    if (!collector.add(object.text(options.field), std::move(origin), std::move(group))) return false;
  }
  return true;
}

/// Whether the first character that is not white space is a brace: standard input has no name to tell JSONL by.
bool begins_with_object(const std::string& path) {
  io::ByteStream stream(path, ErrorKind::Data);
  std::array<char, 4096> buffer{};
  while (const size_t count = stream.read(buffer)) {
    const std::string_view text = strip({buffer.data(), count});
    if (!text.empty()) return text.front() == '{';
  }
  return false;
}

/// False when the limit is reached.
bool add_file(const Input& input, const CorpusOptions& options, Collector& collector) {
  if (has_ending(input.path, ".jsonl")) return add_jsonl(input, options, collector);
  if (has_ending(input.path, ".json")) {
    throw Error(
        ErrorKind::Data,
        fmt::format("reading \"{}\": documents must be plain text or JSONL (one object a line, .jsonl), but this "
                    "is one JSON value; turn a list into lines with `jq -c '.[]'`",
                    input.shown));
  }
  return add_text(input, options, collector);
}

/// The files below a folder by their path, hidden ones left out.
std::vector<fs::path> files_below(const fs::path& folder) {
  std::vector<fs::path> files;
  for (auto entry = fs::recursive_directory_iterator(folder); entry != fs::recursive_directory_iterator(); ++entry) {
    if (entry->path().filename().string().starts_with('.')) {
      if (entry->is_directory()) entry.disable_recursion_pending();
    } else if (entry->is_regular_file()) {
      files.push_back(entry->path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

void require_documents(const Corpus& corpus, const std::string& path) {
  if (!corpus.documents.empty()) return;
  throw Error(
      ErrorKind::Data,
      fmt::format("reading \"{}\": the data must hold at least one document that is not empty, but it holds {}; "
                  "name a file with text in it",
                  path, corpus.read == 0 ? "nothing" : format_counted(corpus.read, "empty one")));
}

}  // namespace

std::string Corpus::content_hash() const {
  Hasher hasher;
  for (const Document& document : documents) hasher.add(document.id);
  return hasher.digest128();
}

Corpus read_corpus(const std::string& path, const CorpusOptions& options) {
  if (options.separator.empty()) {
    throw Error(ErrorKind::Usage,
                "reading documents: the separator must not be empty, but it is; leave it out for the "
                "default, <|endoftext|>");
  }
  Collector collector(options.limit);
  if (path == "-") {
    const io::SpooledInput spooled;
    const Input input{spooled.path(), "standard input", "standard input"};
    if (begins_with_object(input.path)) {
      add_jsonl(input, options, collector);
    } else {
      refuse_field(input, options);
      add_text(input, options, collector);
    }
  } else if (fs::is_directory(path)) {
    for (const fs::path& file : files_below(path)) {
      if (!add_file({file.string(), file.string(), fs::relative(file, path).string()}, options, collector)) break;
    }
  } else {
    if (!has_ending(path, ".jsonl") && !has_ending(path, ".json") && fs::exists(path))
      refuse_field({path, path, path}, options);
    add_file({path, path, fs::path(path).filename().string()}, options, collector);
  }
  Corpus corpus = collector.finish();
  require_documents(corpus, path);
  return corpus;
}

Corpus make_corpus(const std::vector<std::string>& texts, const std::string& source) {
  Collector collector(0);
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::string name = fmt::format("{}, document {}", source, i);
    io::require_utf8(texts[i], 0, {.name = name});
    collector.add(texts[i], name);
  }
  Corpus corpus = collector.finish();
  require_documents(corpus, source);
  return corpus;
}

}  // namespace assay::data
