#include "assay/data/shard_manifest.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "assay/core/error.h"

namespace assay::data {
namespace {

constexpr int64_t kMarkNumbers = 6;
constexpr int64_t kFileNumbers = 4;
constexpr int64_t kHashDigits = 32;

/// Names of files need not be UTF-8, JSON must be: such a file is then not found again, and its texts come from tokens.
std::string as_utf8(const std::string& text) {
  const std::string dumped = io::Json(text).dump(-1, ' ', false, io::Json::error_handler_t::replace);
  return io::Json::parse(dumped).get<std::string>();
}

/// Shards are used from other folders than they were made in.
std::string lasting_path(const CorpusFile& file, bool is_standard_input) {
  if (is_standard_input) return file.shown;
  std::error_code error;
  const std::filesystem::path path = std::filesystem::absolute(file.path, error);
  return as_utf8(error ? file.path : path.lexically_normal().string());
}

io::Json file_json(const FileFacts& facts) {
  return {{"bytes", facts.state.bytes},
          {"modified", facts.state.modified},
          {"hash", facts.hash},
          {"hashed_bytes", facts.hashed_bytes}};
}

FileFacts file_of(const io::JsonObject& json, const std::string& path) {
  return {.path = path,
          .state = {static_cast<uint64_t>(json.integer("bytes", 0)), json.integer("modified")},
          .hashed_bytes = static_cast<uint64_t>(json.integer("hashed_bytes", 0)),
          .hash = json.text("hash")};
}

template <class T>
std::span<const T> numbers(const io::Arrays& arrays, const char* name, int64_t width, const io::Source& source) {
  const io::Array& array = io::array_named(arrays, name, source.name, source.kind);
  if (array.dtype == io::dtype_of<T>() && array.size() % width == 0) return io::values<T>(array);
  source.refuse("array " + io::quote(name) + " must hold rows of " + std::to_string(width) + " numbers of type " +
                io::to_string(io::dtype_of<T>()) + ", but it does not");
}

}  // namespace

io::Json about_shards(const CorpusReader& reader, const Tokenizer& tokenizer, const ExampleRule& rule) {
  const CorpusFiles& corpus = reader.files();
  io::Json files = io::Json::array();
  for (const CorpusFile& file : corpus.files) {
    files.push_back({{"path", lasting_path(file, corpus.is_standard_input())},
                     {"origin", as_utf8(file.origin)},
                     {"jsonl", file.kind == FileKind::JsonLines}});
    if (file.kind == FileKind::Parquet) files.back()["parquet"] = true;  // shards of earlier versions lack the key
  }
  const CorpusOptions& options = reader.options();
  return {
      {"tokenizer",
       {{"hash", tokenizer.hash()}, {"kind", tokenizer.description()}, {"vocabulary", tokenizer.vocabulary_size()}}},
      {"bos", rule.bos().has_value()},
      {"bos_reason", rule.bos_reason()},
      {"context", rule.options().context},
      {"long", to_string(rule.options().long_texts)},
      {"corpus",
       {{"path", as_utf8(corpus.path)},
        {"separator", as_utf8(options.separator)},
        {"field", as_utf8(options.field)},
        {"limit", options.limit},
        {"files", std::move(files)}}}};
}

CorpusFiles files_of(const io::JsonObject& about) {
  const io::JsonObject corpus = about.object("corpus");
  CorpusFiles files{.path = corpus.text("path"), .files = {}, .passed_over = {}};
  for (const io::JsonObject& file : corpus.objects("files")) {
    const std::string path = file.text("path");
    const FileKind other = file.boolean_or("parquet", false) ? FileKind::Parquet : FileKind::Text;
    files.files.push_back({.path = path,
                           .shown = path,
                           .origin = file.text("origin"),
                           .kind = file.boolean("jsonl") ? FileKind::JsonLines : other});
  }
  return files;
}

CorpusOptions options_of(const io::JsonObject& about) {
  const io::JsonObject corpus = about.object("corpus");
  return {.separator = corpus.text("separator"),
          .field = corpus.text("field"),
          .group_field = {},
          .limit = corpus.integer("limit", 0)};
}

LongTexts long_texts_of(const io::JsonObject& about) {
  for (const LongTexts rule : {LongTexts::Cut, LongTexts::Split, LongTexts::Refuse})
    if (about.text("long") == to_string(rule)) return rule;
  about.refuse("long", "cut, split or refuse");
}

io::Json to_json(const ShardSummary& summary) {
  io::Json files = io::Json::array();
  for (const FileFacts& facts : summary.manifest.files) files.push_back(file_json(facts));
  return {{"documents", summary.documents},
          {"examples", summary.examples},
          {"tokens", summary.tokens},
          {"longest", summary.longest},
          {"long_documents", summary.long_documents},
          {"tokens_cut", summary.tokens_cut},
          {"without_target", summary.without_target},
          {"read", summary.manifest.read},
          {"dropped", summary.manifest.dropped},
          {"limited", summary.manifest.is_limited},
          {"corpus_hash", summary.manifest.hash},
          {"dataset_hash", summary.dataset_hash},
          {"files", std::move(files)}};
}

ShardSummary summary_of(const io::JsonObject& json, const io::JsonObject& about) {
  ShardSummary summary;
  const CorpusFiles files = files_of(about);
  CorpusManifest& manifest = summary.manifest;
  manifest.path = files.path;
  for (const io::JsonObject& file : json.objects("files")) {
    if (manifest.files.size() == files.files.size())
      json.refuse("files", "no longer than the list of the corpus' files");
    manifest.files.push_back(file_of(file, files.files[manifest.files.size()].shown));
  }
  manifest.options = options_of(about);
  manifest.read = json.integer("read", 0);
  manifest.dropped = json.integer("dropped", 0);
  manifest.is_limited = json.boolean("limited");
  manifest.hash = json.text("corpus_hash");
  manifest.tokenizer_hash = about.object("tokenizer").text("hash");
  manifest.adds_bos = about.boolean("bos");
  manifest.context = about.positive("context");
  manifest.long_texts = long_texts_of(about);
  summary.documents = json.integer("documents", 0);
  summary.examples = json.integer("examples", 0);
  summary.tokens = json.integer("tokens", 0);
  summary.longest = json.integer("longest", 0);
  summary.long_documents = json.integer("long_documents", 0);
  summary.tokens_cut = json.integer("tokens_cut", 0);
  summary.without_target = json.integer("without_target", 0);
  summary.dataset_hash = json.text("dataset_hash");
  return summary;
}

void add_mark(io::Arrays& arrays, const CorpusReader& reader, size_t first_file) {
  const CorpusMark mark = reader.mark();
  arrays["reader"] =
      io::make_array<int64_t>({kMarkNumbers}, {mark.file, static_cast<int64_t>(mark.stream.offset), mark.stream.number,
                                               static_cast<int64_t>(mark.stream.consumed), mark.read, mark.dropped});
  std::vector<int64_t> numbers;
  std::vector<uint8_t> hashes;
  const std::vector<FileFacts> facts = reader.facts();
  for (size_t file = first_file; file < facts.size(); ++file) {
    const FileFacts& each = facts[file];
    numbers.insert(numbers.end(), {static_cast<int64_t>(file), static_cast<int64_t>(each.state.bytes),
                                   each.state.modified, static_cast<int64_t>(each.hashed_bytes)});
    hashes.insert(hashes.end(), each.hash.begin(), each.hash.end());
  }
  const auto count = static_cast<int64_t>(numbers.size()) / kFileNumbers;
  arrays["files"] = io::make_array<int64_t>({count, kFileNumbers}, std::move(numbers));
  arrays["file_hashes"] = io::make_array<uint8_t>({count, kHashDigits}, std::move(hashes));
}

ShardMark read_mark(const io::Arrays& arrays, std::vector<FileFacts> facts, const CorpusFiles& files,
                    const io::Source& source) {
  const auto mark = numbers<int64_t>(arrays, "reader", kMarkNumbers, source);
  const auto rows = numbers<int64_t>(arrays, "files", kFileNumbers, source);
  const auto hashes = numbers<uint8_t>(arrays, "file_hashes", kHashDigits, source);
  const size_t count = rows.size() / kFileNumbers;
  bool fits = mark.size() == kMarkNumbers && hashes.size() == count * kHashDigits;
  for (size_t i = 0; i < count && fits; ++i) {
    const auto row = rows.subspan(i * kFileNumbers, kFileNumbers);
    const auto file = static_cast<size_t>(row[0]);
    fits = file <= facts.size() && file < files.files.size();
    if (!fits) break;
    const auto digits = hashes.subspan(i * kHashDigits, kHashDigits);
    facts.resize(file + 1);
    facts[file] = {.path = files.files[file].shown,
                   .state = {static_cast<uint64_t>(row[1]), row[2]},
                   .hashed_bytes = static_cast<uint64_t>(row[3]),
                   .hash = std::string(digits.begin(), digits.end())};
  }
  const bool is_inside = fits && mark[0] >= 0 && mark[0] <= std::ssize(facts);
  if (!is_inside) source.refuse("its marks of files must follow those of the shards before, but they do not");
  ShardMark found{.mark = {.file = mark[0],
                           .stream = {.offset = static_cast<uint64_t>(mark[1]),
                                      .number = mark[2],
                                      .consumed = static_cast<uint64_t>(mark[3]),
                                      .digest = {}},
                           .read = mark[4],
                           .dropped = mark[5]},
                  .facts = std::move(facts)};
  if (mark[0] < std::ssize(found.facts)) found.mark.stream.digest = found.facts[static_cast<size_t>(mark[0])].hash;
  return found;
}

}  // namespace assay::data
