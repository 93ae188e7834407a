// What the manifest of token shards says beside the checksums: "about", fixed when the first shard is begun, says which
// job they are of; "summary", added when the last one is written, says what came of it; and each shard holds where its
// reader stood at its end. This file turns the three into JSON and arrays and back.
#pragma once

#include <string>
#include <vector>

#include "assay/data/token_shards.h"
#include "assay/io/array.h"
#include "assay/io/json.h"
#include "assay/io/store.h"

namespace assay::data {

inline const io::StoreKind kTokenShards{.name = "token-shards", .version = 1};

/// {"tokenizer": {"hash", "kind", "vocabulary"}, "bos", "bos_reason", "context", "long", "corpus": {"path",
/// "separator", "field", "limit", "files": [{"path", "origin", "jsonl"}]}}; a file of Parquet has "parquet": true, too.
io::Json about_shards(const CorpusReader& reader, const Tokenizer& tokenizer, const ExampleRule& rule);

/// Files and options as `about` says them.
CorpusFiles files_of(const io::JsonObject& about);
CorpusOptions options_of(const io::JsonObject& about);
LongTexts long_texts_of(const io::JsonObject& about);

io::Json to_json(const ShardSummary& summary);
/// The summary with the files' facts and counts; rules come from `about`.
ShardSummary summary_of(const io::JsonObject& summary, const io::JsonObject& about);

/// Adds where the reader stands to the arrays of a shard: "reader" I64 [6] (file, offset, piece, bytes taken from that
/// file, pieces read, pieces dropped), "files" I64 [F,4] and "file_hashes" U8 [F,32] of the files that this shard saw
/// (place, bytes, time of writing, bytes taken; XXH3-128 of those in hexadecimal digits).
void add_mark(io::Arrays& arrays, const CorpusReader& reader, size_t first_file);

struct ShardMark {
  CorpusMark mark;
  std::vector<FileFacts> facts;  ///< of the files up to the one the mark is in
};
/// The mark of a shard; `facts` has those of the shards before, whose file it may go on with.
ShardMark read_mark(const io::Arrays& arrays, std::vector<FileFacts> facts, const CorpusFiles& files,
                    const io::Source& source);

}  // namespace assay::data
