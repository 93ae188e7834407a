#include "cli/tokenize_corpus.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>

#include "assay/core/error.h"
#include "assay/core/hash.h"
#include "assay/core/machine.h"
#include "assay/core/version.h"
#include "assay/data/shard_estimate.h"
#include "assay/data/token_shards.h"
#include "assay/kernel/ceilings.h"
#include "assay/nn/read_architecture.h"
#include "cli/loading.h"
#include "cli/planning.h"
#include "cli/result.h"
#include "cli/result_folder.h"

namespace assay::cli {
namespace {

using nlohmann::ordered_json;

/// Tokens of the longest example: --context, else the model's own.
int64_t context_for_shards(const TokenizeOptions& options) {
  if (options.data.context > 0) return options.data.context;
  const auto architecture = nn::read_architecture(options.model);
  if (architecture && architecture->facts().context > 0) return architecture->facts().context;
  throw Error(ErrorKind::Usage,
              fmt::format("tokenizing \"{}\": how many tokens a document may have must be known, but \"{}\" has no "
                          "configuration that says it; add --context N",
                          shown_name(options.data), options.model));
}

data::ShardJob job_of(const TokenizeOptions& options) {
  if (const std::string shards = data::token_shards_at(options.data.data); !shards.empty()) {
    throw Error(ErrorKind::Usage,
                fmt::format("tokenizing \"{}\": a corpus of texts is needed, but these are token shards "
                            "already; name the corpus that they were made of",
                            options.data.data));
  }
  return {.folder = options.common.out + "/shards",
          .files = data::find_corpus_files(options.data.data),
          .reading = corpus_options(options.data),
          .encoding = {.context = context_for_shards(options),
                       .long_texts = long_texts(options.data.long_text),
                       .bos = bos_policy(options.data.begin_token)}};
}

/// The job, not its files: those that have changed are refused by their names, which tells more.
std::string identity_of(const data::ShardJob& job, const data::Tokenizer& tokenizer) {
  Hasher hasher;
  hasher.add("tokenize corpus").add(version()).add(tokenizer.hash()).add(job.files.path);
  hasher.add(job.reading.separator).add(job.reading.field);
  for (const int64_t number : {job.reading.limit, job.encoding.context, static_cast<int64_t>(job.encoding.long_texts),
                               static_cast<int64_t>(data::adds_bos(tokenizer, job.encoding.bos))}) {
    hasher.add(static_cast<uint64_t>(number));
  }
  return hasher.digest128();
}

/// A disk that is too small is said beforehand; what was written before it is full stays, and the run can go on.
void check_disk(const TokenizeOptions& options, int64_t needed, Progress& progress) {
  std::error_code error;
  const auto space = std::filesystem::space(options.common.out, error);
  if (error || static_cast<int64_t>(space.available) >= needed) return;
  progress.note(fmt::format("The shards will take about {}, but {} are free on the disk of {}.", format_bytes(needed),
                            format_bytes(static_cast<int64_t>(space.available)), options.common.out));
}

ordered_json data_json(const data::ShardSummary& summary) {
  ordered_json data{{"documents", summary.documents},
                    {"examples", summary.examples},
                    {"tokens", summary.tokens},
                    {"longest", summary.longest},
                    {"dropped", summary.manifest.dropped},
                    {"long", summary.long_documents},
                    {"tokens_cut", summary.tokens_cut},
                    {"without_target", summary.without_target},
                    {"hash", summary.dataset_hash}};
  data["corpus"] = data::to_json(summary.manifest);
  return data;
}

void print_summary(const data::ShardSummary& summary, const TokenizeOptions& options) {
  fmt::print("{}, {} in {} ({}).\n", format_counted(summary.documents, "document"),
             format_counted(summary.tokens, "token"), format_counted(summary.shards, "shard"),
             format_bytes(summary.bytes));
  if (summary.was_finished) fmt::print("This run had finished before; nothing was done.\n");
  fmt::print("Use them with --data {}\n", quoted_for_shell(options.common.out));
}

void tell_counts(const data::ShardSummary& summary, Progress& progress) {
  for (const std::string& note : summary.notes) progress.note(note);
  if (summary.manifest.dropped > 0)
    progress.note(format_counted(summary.manifest.dropped, "empty document") + " dropped");
  if (summary.long_documents > 0) {
    const std::string fate = summary.tokens_cut > 0
                                 ? fmt::format("cut, {} lost", format_counted(summary.tokens_cut, "token"))
                                 : std::string("split");
    progress.note(fmt::format("{} longer than {} tokens {}", format_counted(summary.long_documents, "document"),
                              summary.manifest.context, fate));
  }
}

}  // namespace

void tokenize_corpus(const TokenizeOptions& options, Session& session) {
  const auto started = std::chrono::steady_clock::now();
  const data::Tokenizer tokenizer = data::load_tokenizer(options.model);
  const data::ShardJob job = job_of(options);
  const data::ShardEstimate estimate = data::estimate_shards(job, tokenizer);
  Plan plan(kernel::machine_ceilings(cache_folder("")));
  plan.add("tokenize", estimate.cost);
  if (stops_at_plan(session, plan, shorter_by_limit(plan, estimate.documents))) return;

  const ResultFolder folder(options.common.out, session.invocation, identity_of(job, tokenizer));
  check_disk(options, estimate.cost.disk_bytes, session.progress);
  reset_peak_resident();  // what measuring the machine took is not the job's
  session.progress.note("BOS: " + data::bos_reason(tokenizer, job.encoding.bos));
  const data::ShardSummary summary = data::write_token_shards(job, tokenizer, session.progress);
  tell_counts(summary, session.progress);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();

  ordered_json result = result_head(session.invocation);
  result["tokenizer"] = {{"kind", tokenizer.description()}, {"hash", tokenizer.hash()}};
  result["data"] = data_json(summary);
  result["shards"] = {{"path", job.folder}, {"count", summary.shards}, {"bytes", summary.bytes}};
  result["cost"] = cost_report(plan, seconds, folder.bytes());
  folder.write_result(result);
  if (options.common.json) return print_json(result);
  if (!options.common.quiet) print_summary(summary, options);
}

}  // namespace assay::cli
