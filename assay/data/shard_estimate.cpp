#include "assay/data/shard_estimate.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "assay/core/machine.h"

namespace assay::data {
namespace {

constexpr int64_t kSampledTokens = int64_t{1} << 18;  // about a megabyte of text
constexpr int64_t kBuffers = int64_t{24} << 20;       // a batch of texts with its tokens, files, zstd's window
constexpr double kBytesADocument = 44, kBytesAnExample = 24;
constexpr double kBytesAnOccurrence = 54;  // while its table grows: 36 and half as much again

}  // namespace

ShardEstimate estimate_shards(const ShardJob& job, const Tokenizer& tokenizer) {
  CorpusReader reader(job.files, job.reading);
  BlockEncoder encoder(reader, tokenizer, job.encoding, kSampledTokens);
  const auto started = std::chrono::steady_clock::now();
  int64_t examples = 0, tokens = 0;
  if (auto arrays = encoder.next(silent_progress())) {
    const TokenBlock block(*std::move(arrays), 0, {.name = job.files.path});
    examples = block.examples();
    for (int64_t row = 0; row < examples; ++row) tokens += std::ssize(block.example(row).tokens);
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  if (tokens == 0) reader.require_documents();

  // A reader is a buffer ahead of its documents: of a small corpus it has then seen all.
  const auto sampled = static_cast<double>(std::max<int64_t>(1, reader.documents()));
  double share = std::max(1.0, static_cast<double>(job.files.bytes()) / static_cast<double>(reader.consumed()));
  if (tokens < kSampledTokens) share = 1;
  if (job.reading.limit > 0) share = std::min(share, static_cast<double>(job.reading.limit) / sampled);

  ShardEstimate estimate;
  const double all_documents = share * sampled, all_examples = share * static_cast<double>(examples);
  const double all_tokens = share * static_cast<double>(tokens);
  const double id_bytes = tokenizer.vocabulary_size() <= 65'536 ? 2 : 4;
  const double shard_share = std::min(1.0, static_cast<double>(job.shard_tokens) / std::max(1.0, all_tokens));
  const double disk = id_bytes * all_tokens + kBytesADocument * all_documents + kBytesAnExample * all_examples;
  estimate.documents = std::llround(all_documents);
  estimate.tokens = std::llround(all_tokens);
  estimate.cost.measured_seconds = share * seconds;
  estimate.cost.disk_bytes = std::llround(disk);
  // A shard stands twice while it grows; ids are counted for documents and for examples.
  estimate.cost.peak_bytes = resident_bytes() + kBuffers + std::llround(2 * shard_share * disk) +
                             std::llround(kBytesAnOccurrence * (all_documents + all_examples));
  return estimate;
}

}  // namespace assay::data
