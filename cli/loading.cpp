#include "cli/loading.h"

#include <fmt/format.h>

#include <filesystem>

#include "assay/core/cache.h"
#include "assay/core/error.h"
#include "assay/core/threads.h"

namespace assay::cli {

at::ScalarType dtype_of(const CommonOptions& options) {
  return options.precision == Precision::Float64 ? at::kDouble : at::kFloat;
}

data::BosPolicy bos_policy(BeginToken option) {
  switch (option) {
    case BeginToken::Auto: return data::BosPolicy::Auto;
    case BeginToken::Yes: return data::BosPolicy::Yes;
    case BeginToken::No: return data::BosPolicy::No;
  }
  return data::BosPolicy::Auto;
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
  return options.context > 0 ? options.context : most;
}

Cost loading_cost(const std::string& model_path) {
  std::error_code error;
  const auto file_bytes = std::filesystem::file_size(model_path, error);
  const int64_t bytes = error ? folder_bytes(model_path) : static_cast<int64_t>(file_bytes);
  constexpr int64_t kWidened = 8;  // four bits on disk become 32 in memory, at most
  const int64_t in_memory = model_path.ends_with(".gguf") ? kWidened * bytes : bytes;
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

std::vector<std::string> example_texts(const LoadedText& text, const data::Tokenizer& tokenizer) {
  std::vector<std::string> texts;
  for (size_t row = 0; row < text.encoded.document_of.size(); ++row) {
    if (!text.encoded.is_part[row]) {
      texts.push_back(text.corpus.documents[static_cast<size_t>(text.encoded.document_of[row])].text);
      continue;
    }
    const std::vector<int32_t>& tokens = text.encoded.dataset.examples[row].tokens;
    std::string own;
    for (size_t t = text.encoded.adds_bos ? 1 : 0; t < tokens.size(); ++t) own += tokenizer.token_text(tokens[t]);
    texts.push_back(std::move(own));
  }
  return texts;
}

std::string shown_name(const DataOptions& options) {
  return options.data == "-" ? "standard input" : options.data;
}

LoadedText load_text(const DataOptions& options, const data::Tokenizer& tokenizer, int64_t context, Progress& progress,
                     const std::string& group_field) {
  LoadedText text;
  data::CorpusOptions reading = corpus_options(options);
  reading.group_field = group_field;
  text.corpus = data::read_corpus(options.data, reading);
  const auto long_texts = options.long_text == LongText::Cut     ? data::LongTexts::Cut
                          : options.long_text == LongText::Split ? data::LongTexts::Split
                                                                 : data::LongTexts::Refuse;
  text.encoded = data::encode(text.corpus, tokenizer,
                              {.context = context, .long_texts = long_texts, .bos = bos_policy(options.begin_token)});
  std::string line = fmt::format("{}, {}", format_counted(text.encoded.documents, "document"),
                                 format_counted(text.encoded.dataset.tokens(), "token"));
  if (text.corpus.dropped > 0) line += fmt::format("; {} dropped", format_counted(text.corpus.dropped, "empty one"));
  if (text.encoded.long_documents > 0) {
    line += fmt::format("; {} longer than {} tokens {}", format_count(text.encoded.long_documents), context,
                        options.long_text == LongText::Split
                            ? std::string("split")
                            : fmt::format("cut, {} lost", format_counted(text.encoded.tokens_cut, "token")));
  }
  progress.note(line);
  return text;
}

}  // namespace assay::cli
