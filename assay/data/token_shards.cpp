#include "assay/data/token_shards.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "assay/core/cache.h"
#include "assay/core/error.h"
#include "assay/core/hash.h"
#include "assay/core/plan.h"
#include "assay/core/twin.h"
#include "assay/data/shard_manifest.h"

namespace assay::data {
namespace {

namespace fs = std::filesystem;

std::string shard_name(int64_t number) {
  return fmt::format("shard-{:06}", number);
}

io::Source source_of(const std::string& folder, const std::string& shard) {
  return {.name = folder + "/" + shard, .kind = ErrorKind::Data, .advice = "remove the folder and make it again"};
}

io::JsonObject object_of(const io::Json& json, const std::string& folder) {
  return {json, source_of(folder, "manifest.json")};
}

/// Counts and hashes of the shards of a corpus, added up as they come.
class Counter {
 public:
  explicit Counter(const ExampleRule& rule) : rule_(rule) {}

  void add(const TokenBlock& block) {
    for (int64_t row = 0; row < block.documents(); ++row) {
      const DocumentEntry entry = block.document(row);
      rule_.count(entry.tokens, counts_);
      documents_.add(entry.id);
    }
    for (int64_t row = 0; row < block.examples(); ++row) {
      const ExampleView example = block.example(row);
      const auto tokens = static_cast<int64_t>(example.tokens.size());
      summary_.tokens += tokens;
      summary_.longest = std::max(summary_.longest, tokens);
      if (tokens < 2) ++summary_.without_target;
      examples_.add(example.id);
    }
    summary_.examples += block.examples();
    ++summary_.shards;
  }

  int64_t documents() const { return counts_.documents; }
  int64_t shards() const { return summary_.shards; }

  ShardSummary summary(CorpusManifest manifest) const {
    ShardSummary summary = summary_;
    manifest.hash = documents_.digest128();
    summary.manifest = std::move(manifest);
    summary.documents = counts_.documents;
    summary.long_documents = counts_.long_documents;
    summary.tokens_cut = counts_.tokens_cut;
    summary.dataset_hash = examples_.digest128();
    return summary;
  }

 private:
  const ExampleRule& rule_;
  EncodedCorpus counts_;
  ShardSummary summary_;
  Hasher documents_, examples_;
};

/// Takes over the whole shards of an earlier run, drops what comes after them, and puts the reader behind them.
void go_on(io::Store& store, CorpusReader& reader, BlockEncoder& encoder, Counter& counter, Progress& progress) {
  ShardMark mark;
  while (store.has(shard_name(counter.shards()))) {
    const std::string shard = shard_name(counter.shards());
    const io::Source source = source_of(store.folder(), shard);
    try {
      const io::Arrays arrays = store.read(shard);
      const TokenBlock block(arrays, counter.documents(), source);
      mark = read_mark(arrays, mark.facts, reader.files(), source);
      encoder.remember(block);
      counter.add(block);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::Data) throw;
      progress.note(fmt::format("{}; it and what follows are made again", io::without_advice(error.what())));
      break;
    }
  }
  for (const std::string& block : store.blocks())
    if (block >= shard_name(counter.shards())) store.remove(block);
  if (counter.shards() == 0) return;
  reader.go_on(mark.mark, mark.facts);
  progress.note(fmt::format("going on behind {}: {} of {} had been read", format_counted(counter.shards(), "shard"),
                            format_bytes(static_cast<int64_t>(reader.consumed())),
                            format_bytes(static_cast<int64_t>(reader.files().bytes()))));
}

void require_unchanged_files(const ShardSummary& summary, const CorpusFiles& files) {
  for (size_t file = 0; file < summary.manifest.files.size(); ++file)
    require_unchanged(summary.manifest.files[file], files.files.at(file).path);
}

ShardSummary told_again(const io::Store& store, const CorpusFiles& files) {
  const io::JsonObject about = object_of(store.about(), store.folder());
  ShardSummary summary = summary_of(object_of(store.summary(), store.folder()), about);
  require_unchanged_files(summary, files);
  for (const std::string& shard : store.blocks()) store.read(shard);  // refuses one that was damaged since
  summary.shards = std::ssize(store.blocks());
  summary.was_finished = true;
  return summary;
}

std::vector<std::string> notes_of(const CorpusReader& reader) {
  std::vector<std::string> notes;
  for (const std::string& passed : reader.files().passed_over) notes.push_back("passed over " + passed);
  return notes;
}

// ---- reading ----

[[noreturn]] void refuse_shards(const std::string& folder, const std::string& sentence) {
  throw Error(ErrorKind::Data, fmt::format("reading token shards in \"{}\": {}", folder, sentence));
}

const char* with_or_without(bool adds_bos) {
  return adds_bos ? "with a BOS token before each text" : "without a BOS token";
}

void require_same_tokens(const std::string& folder, const io::JsonObject& about, const Tokenizer& tokenizer,
                         const EncodeOptions& encoding) {
  const io::JsonObject theirs = about.object("tokenizer");
  if (theirs.text("hash") != tokenizer.hash() && !ASSAY_TWIN("data.shards_of_any_tokenizer")) {
    refuse_shards(folder,
                  fmt::format("they must be made with the model's own tokenizer ({}, hash {}), but they were "
                              "made with another one ({}, hash {}); tokenize the corpus with this model",
                              tokenizer.description(), tokenizer.hash(), theirs.text("kind"), theirs.text("hash")));
  }
  const bool bos = adds_bos(tokenizer, encoding.bos);
  if (about.boolean("bos") != bos && !ASSAY_TWIN("data.shards_of_any_bos")) {
    refuse_shards(
        folder, fmt::format("texts are to be read {}, but they were tokenized {}; use --bos {}, or tokenize them again",
                            with_or_without(bos), with_or_without(!bos), bos ? "no" : "yes"));
  }
  const int64_t context = about.positive("context");
  if (encoding.context != 0 && encoding.context != context && !ASSAY_TWIN("data.shards_of_any_context")) {
    refuse_shards(folder, fmt::format("texts are to be read in a context of {} tokens, but they were tokenized for one "
                                      "of {}; leave --context out, or tokenize them again",
                                      encoding.context, context));
  }
  const LongTexts rule = long_texts_of(about);
  if (encoding.long_texts != LongTexts::Cut && encoding.long_texts != rule) {
    refuse_shards(folder,
                  fmt::format("longer texts are to be treated by --long {}, but they were tokenized with --long "
                              "{}; leave it out, or tokenize them again",
                              to_string(encoding.long_texts), to_string(rule)));
  }
}

void require_same_reading(const std::string& folder, const CorpusManifest& made, int64_t documents,
                          const CorpusOptions& asked) {
  const CorpusOptions usual;
  const auto refuse_option = [&](const char* name, const std::string& wanted, const std::string& theirs) {
    throw Error(
        ErrorKind::Usage,
        fmt::format("reading token shards in \"{}\": {} must be what their corpus was read by, {}, but it is {}; "
                    "leave it out, or tokenize the corpus again",
                    folder, name, io::quote(theirs), io::quote(wanted)));
  };
  if (asked.separator != usual.separator && asked.separator != made.options.separator)
    refuse_option("the separator", asked.separator, made.options.separator);
  if (asked.field != usual.field && asked.field != made.options.field)
    refuse_option("the field", asked.field, made.options.field);
  if (!asked.group_field.empty()) {
    refuse_shards(folder,
                  "documents are to be grouped by a field of their JSONL lines, but token shards do not keep "
                  "groups; give the JSONL itself, or leave the grouping out");
  }
  if (made.is_limited && asked.limit > documents) {
    refuse_shards(folder,
                  fmt::format("the first {} documents are asked for, but they hold the first {} of their corpus "
                              "alone; lower --limit, or tokenize more",
                              asked.limit, documents));
  }
}

/// Whether every file that the shards were made from can be read again.
bool are_there(const CorpusFiles& files, size_t count) {
  for (size_t file = 0; file < count; ++file)
    if (!io::state_of(files.files.at(file).path)) return false;
  return true;
}

std::vector<std::shared_ptr<const TokenBlock>> map_shards(const io::Store& store, Progress& progress) {
  const std::vector<std::string> names = store.blocks();
  std::vector<std::shared_ptr<const TokenBlock>> blocks;
  Progress& heard = names.size() > 1 ? progress : silent_progress();
  heard.begin("checking shards", std::ssize(names), "shards");
  int64_t documents = 0;
  for (const std::string& name : names) {
    const io::Source source = source_of(store.folder(), name);
    if (name != shard_name(std::ssize(blocks)))
      source.refuse("shards must be counted without a gap, but after " + std::to_string(blocks.size()) +
                    " of them comes this one");
    blocks.push_back(std::make_shared<const TokenBlock>(store.read(name), documents, source));
    documents += blocks.back()->documents();
    heard.advance(1);
  }
  heard.end();
  return blocks;
}

}  // namespace

ShardSummary write_token_shards(const ShardJob& job, const Tokenizer& tokenizer, Progress& progress) {
  CorpusReader reader(job.files, job.reading);
  BlockEncoder encoder(reader, tokenizer, job.encoding, job.shard_tokens);
  io::Store store =
      io::Store::create_or_resume(job.folder, kTokenShards, about_shards(reader, tokenizer, encoder.rule()));
  ShardSummary summary;
  if (store.finished()) {
    summary = told_again(store, reader.files());
  } else {
    Counter counter(encoder.rule());
    go_on(store, reader, encoder, counter, progress);
    const int64_t left = static_cast<int64_t>(reader.files().bytes()) - static_cast<int64_t>(reader.consumed());
    progress.begin("tokenizing", job.reading.limit > 0 ? 0 : left, "bytes");
    size_t first_file = reader.facts().empty() ? 0 : reader.facts().size() - 1;
    while (auto arrays = encoder.next(progress)) {
      add_mark(*arrays, reader, first_file);
      first_file = reader.facts().size() - 1;
      const std::string shard = shard_name(counter.shards());
      counter.add(TokenBlock(*arrays, counter.documents(), source_of(job.folder, shard)));
      store.write(shard, *arrays);
    }
    progress.end();
    reader.require_documents();
    summary = counter.summary(manifest_of(reader, tokenizer, encoder.rule()));
    store.finish(to_json(summary));
  }
  summary.bytes = folder_bytes(job.folder);
  summary.manifest.shards = job.folder;
  summary.notes = notes_of(reader);
  return summary;
}

std::string token_shards_at(const std::string& path) {
  std::error_code error;
  for (const fs::path& folder : {fs::path(path), fs::path(path) / "shards"}) {
    if (!fs::is_directory(folder, error)) continue;
    if (fs::exists(folder / (shard_name(0) + ".safetensors"), error)) return folder.string();
    std::string head(256, '\0');
    std::ifstream(folder / "manifest.json", std::ios::binary).read(head.data(), std::ssize(head));
    if (io::StoreManifest::is_ours(head)) return folder.string();
  }
  return "";
}

int64_t context_of_shards(const std::string& folder) {
  return object_of(io::Store::open(folder, kTokenShards).about(), folder).positive("context");
}

TokenizedCorpus read_token_shards(const std::string& folder, const CorpusOptions& reading, const Tokenizer& tokenizer,
                                  const EncodeOptions& encoding, Progress& progress) {
  const io::Store store = io::Store::open(folder, kTokenShards);
  const io::JsonObject about = object_of(store.about(), folder);
  require_same_tokens(folder, about, tokenizer, encoding);
  const CorpusFiles files = files_of(about);
  const ShardSummary made = summary_of(object_of(store.summary(), folder), about);
  require_same_reading(folder, made.manifest, made.documents, reading);
  require_unchanged_files(made, files);

  const EncodeOptions rules{.context = about.positive("context"),
                            .long_texts = long_texts_of(about),
                            .bos = about.boolean("bos") ? BosPolicy::Yes : BosPolicy::No};
  CorpusOptions read_by = options_of(about);
  TokenizedCorpus corpus =
      corpus_of_blocks(map_shards(store, progress), reading.limit, ExampleRule(tokenizer, rules), files, read_by, {});
  corpus.encoded.bos_reason = about.text("bos_reason");
  corpus.has_files = are_there(files, made.manifest.files.size());
  corpus.manifest = made.manifest;
  corpus.manifest.shards = folder;
  if (corpus.documents.size() < made.documents) {
    corpus.manifest.is_limited = true;
    corpus.manifest.hash = corpus.documents.content_hash();
  }
  return corpus;
}

}  // namespace assay::data
