#include "cli/loading.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "assay/core/cache.h"
#include "assay/core/error.h"
#include "assay/core/machine.h"
#include "assay/data/token_shards.h"

namespace assay::cli {

at::ScalarType dtype_of(const CommonOptions& options) {
  switch (options.precision) {
    case Precision::Float64: return at::kDouble;
    case Precision::BFloat16: return at::kBFloat16;
    default: return at::kFloat;
  }
}

data::BosPolicy bos_policy(BeginToken option) {
  switch (option) {
    case BeginToken::Auto: return data::BosPolicy::Auto;
    case BeginToken::Yes: return data::BosPolicy::Yes;
    case BeginToken::No: return data::BosPolicy::No;
  }
  return data::BosPolicy::Auto;
}

data::LongTexts long_texts(LongText option) {
  switch (option) {
    case LongText::Cut: return data::LongTexts::Cut;
    case LongText::Split: return data::LongTexts::Split;
    case LongText::Refuse: return data::LongTexts::Refuse;
  }
  return data::LongTexts::Cut;
}

data::CorpusOptions corpus_options(const DataOptions& options) {
  return {.separator = options.separator, .field = options.field, .group_field = {}, .limit = options.limit};
}

int64_t context_of(const DataOptions& options, const nn::Architecture& architecture) {
  const int64_t most = architecture.facts().context;
  if (options.context > most || options.context == 1) {
    throw Error(
        ErrorKind::Usage,
        fmt::format(
            "reading --context: it must be from 2 to the model's {} tokens, but it is {}; leave it out for all of them",
            most, options.context));
  }
  if (options.context > 0) return options.context;
  const std::string shards = data::token_shards_at(options.data);
  if (shards.empty()) return most;
  const int64_t context = data::context_of_shards(shards);
  if (context <= most) return context;
  throw Error(
      ErrorKind::Data,
      fmt::format("reading token shards in \"{}\": their context must be within the model's {} tokens, but they "
                  "were made for one of {}; tokenize the corpus again with --context {}",
                  shards, most, context, most));
}

std::string beyond_training(const nn::Architecture& architecture, int64_t tokens, const std::string& advice) {
  const nn::Facts facts = architecture.facts();
  const int64_t positions = tokens - 1;  // nothing is said behind the last token
  if (facts.trained == 0 || positions <= facts.trained) return {};
  return fmt::format(
      "The longest text takes {} positions; models of the sizes of TinyStories state {} but were trained on {}, and "
      "what they say beyond is not to be relied on: {}.",
      format_count(positions), format_count(facts.context), facts.trained, advice);
}

std::string beyond_training(const nn::Architecture& architecture, const data::Dataset& documents) {
  return beyond_training(architecture, documents.longest(),
                         fmt::format("--context {} keeps within", architecture.facts().trained));
}

Cost loading_cost(const std::string& model_path, Precision precision) {
  std::error_code error;
  const auto file_bytes = std::filesystem::file_size(model_path, error);
  const int64_t bytes = error ? folder_bytes(model_path) : static_cast<int64_t>(file_bytes);
  const int64_t widened = precision == Precision::BFloat16 ? 4 : 8;  // four bits on disk become 16 or 32, at most
  const int64_t in_memory = model_path.ends_with(".gguf") ? widened * bytes : bytes;
  return {.bytes_moved = 3.0 * static_cast<double>(in_memory), .peak_bytes = resident_bytes() + bytes + in_memory};
}

const char* long_text_name(LongText option) noexcept {
  switch (option) {
    case LongText::Cut: return "cut";
    case LongText::Split: return "split";
    case LongText::Refuse: return "refuse";
  }
  return "cut";
}

std::string shown_name(const DataOptions& options) {
  return options.data == "-" ? "standard input" : options.data;
}

std::string bos_as_in_index(bool adds_bos) {
  return adds_bos ? "before every text, as in the index" : "before no text, as in the index";
}

data::TokenizedCorpus load_text(const DataOptions& options, const data::Tokenizer& tokenizer, int64_t context,
                                Progress& progress, const std::string& group_field) {
  data::CorpusOptions reading = corpus_options(options);
  reading.group_field = group_field;
  data::TokenizedCorpus text = data::tokenize_corpus(
      options.data, reading, tokenizer,
      {.context = context, .long_texts = long_texts(options.long_text), .bos = bos_policy(options.begin_token)},
      progress);
  for (const std::string& passed : text.documents.files().passed_over) progress.note("passed over " + passed);
  const data::EncodedCorpus& encoded = text.encoded;
  std::string line = fmt::format("{}, {}", format_counted(encoded.documents, "document"),
                                 format_counted(encoded.dataset.tokens(), "token"));
  if (text.manifest.dropped > 0)
    line += fmt::format("; {} dropped", format_counted(text.manifest.dropped, "empty one"));
  if (encoded.long_documents > 0) {
    line += fmt::format("; {} longer than {} tokens {}", format_count(encoded.long_documents), text.manifest.context,
                        text.manifest.long_texts == data::LongTexts::Split
                            ? std::string("split")
                            : fmt::format("cut, {} lost", format_counted(encoded.tokens_cut, "token")));
  }
  if (!text.manifest.shards.empty()) line += "; from token shards";
  line += "; BOS: " + (options.begin_inherited ? bos_as_in_index(encoded.adds_bos) : encoded.bos_reason);
  progress.note(line);
  if (!text.has_files)
    progress.note("The files that the shards were made from are not there: texts are told by their tokens.");
  return text;
}

nlohmann::ordered_json corpus_json(const data::TokenizedCorpus& text) {
  nlohmann::ordered_json json{{"documents", text.encoded.documents},     {"examples", text.encoded.dataset.size()},
                              {"tokens", text.encoded.dataset.tokens()}, {"dropped", text.manifest.dropped},
                              {"long", text.encoded.long_documents},     {"hash", text.encoded.dataset.content_hash()}};
  if (!text.manifest.path.empty())
    json["corpus"] = data::to_json(text.manifest);  // an index keeps its documents itself
  return json;
}

}  // namespace assay::cli
