#include "assay/data/block_encoder.h"

#include <algorithm>
#include <utility>

#include "assay/core/twin.h"
#include "assay/data/dataset.h"
#include "assay/data/tokenize_batch.h"

namespace assay::data {
namespace {

constexpr int64_t kMostBytes = int64_t{1} << 20;  // of a batch
constexpr int64_t kFewestBytes = int64_t{1} << 16;
constexpr int64_t kBytesAToken = 4;  // about what tokenizers reach

/// So much text that the block is filled about, and no batch is too large to hold or too small to share out.
int64_t batch_bytes(int64_t block_tokens, int64_t filled) {
  const int64_t fewest = std::min(kFewestBytes, block_tokens);
  return std::clamp(kBytesAToken * std::min(kMostBytes, block_tokens - filled), fewest, kMostBytes);
}

}  // namespace

BlockEncoder::BlockEncoder(CorpusReader& reader, const Tokenizer& tokenizer, const EncodeOptions& options,
                           int64_t block_tokens)
    : reader_(reader),
      tokenizer_(tokenizer),
      rule_(tokenizer, options),
      block_tokens_(block_tokens),
      builder_(tokenizer.vocabulary_size()) {}

bool BlockEncoder::read_batch() {
  texts_.clear();
  entries_.clear();
  const int64_t most = batch_bytes(block_tokens_, builder_.tokens());
  for (int64_t bytes = 0; bytes < most;) {
    const auto document = reader_.next();
    if (!document) break;
    bytes += std::ssize(document->text);
    texts_.emplace_back(document->text);
    entries_.push_back({.id = document->id, .content = document->content, .tokens = 0, .place = document->place});
    if (!reader_.options().group_field.empty()) groups_.emplace_back(document->group);
  }
  return !texts_.empty();
}

void BlockEncoder::add(const DocumentEntry& entry, const std::vector<int32_t>& tokens) {
  const CorpusFile& file = reader_.files().files[entry.place.file];
  rule_.cut(tokens, source_name(file, entry.place.number), [&](std::span<const int32_t> own) {
    example_.clear();
    if (rule_.bos()) example_.push_back(*rule_.bos());
    example_.insert(example_.end(), own.begin(), own.end());
    ExampleView view;
    view.tokens = example_;
    builder_.add_example(example_ids_.next(content_of(view)), example_, documents_);
  });
  builder_.add_document(entry);
  ++documents_;
}

std::optional<io::Arrays> BlockEncoder::next(Progress& progress) {
  while (builder_.tokens() < block_tokens_) {
    const uint64_t before = reader_.consumed();
    if (!read_batch()) break;
    const std::vector<std::vector<int32_t>> tokens = tokenize_batch(tokenizer_, texts_);
    for (size_t i = 0; i < tokens.size(); ++i) {
      entries_[i].tokens = std::ssize(tokens[i]);
      add(entries_[i], tokens[i]);
    }
    progress.advance(static_cast<int64_t>(reader_.consumed() - before));
  }
  if (builder_.documents() == 0) return std::nullopt;
  return builder_.take();
}

void BlockEncoder::remember(const TokenBlock& block) {
  documents_ += block.documents();
  for (int64_t row = 0; row < block.documents(); ++row) reader_.remember(block.document(row).content);
  if (ASSAY_TWIN("data.earlier_examples_forgotten")) return;
  for (int64_t row = 0; row < block.examples(); ++row) example_ids_.next(content_of(block.example(row)));
}

}  // namespace assay::data
