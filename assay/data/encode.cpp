#include "assay/data/encode.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/data/tokenizer_definition.h"

namespace assay::data {
namespace {

std::string explain_bos(const Tokenizer& tokenizer, BosPolicy policy) {
  switch (policy) {
    case BosPolicy::Yes: return "asked for";
    case BosPolicy::No: return "asked not to";
    case BosPolicy::Auto: break;
  }
  return tokenizer.adds_bos()
             ? fmt::format("the tokenizer's files put {} before every text", tokenizer.token_text(*tokenizer.bos()))
             : "the tokenizer's files put nothing before a text";
}

[[noreturn]] void refuse_long(const Document& document, size_t tokens, int64_t context) {
  throw Error(
      ErrorKind::Data,
      fmt::format("tokenizing {}: a document must fit into a context of {} tokens, but it has {}; allow a longer "
                  "context, or use --long cut or --long split",
                  document.source, context, tokens));
}

[[noreturn]] void refuse_empty(const Document& document) {
  throw Error(ErrorKind::Data,
              fmt::format("tokenizing {}: a document must have at least one token, but \"{}\" has none; remove it",
                          document.source, document.text.substr(0, 40)));
}

}  // namespace

bool adds_bos(const Tokenizer& tokenizer, BosPolicy policy) {
  if (policy == BosPolicy::Auto) return tokenizer.adds_bos();
  if (policy == BosPolicy::Yes && !tokenizer.bos()) {
    throw Error(ErrorKind::Usage,
                fmt::format("putting a BOS token before texts: the tokenizer must name one, but \"{}\" does not; leave "
                            "out --bos yes, or name bos_token in tokenizer_config.json",
                            tokenizer.definition().source));
  }
  return policy == BosPolicy::Yes;
}

EncodedCorpus encode(const Corpus& corpus, const Tokenizer& tokenizer, const EncodeOptions& options) {
  if (options.context < 2) {
    throw Error(ErrorKind::Usage,
                fmt::format("tokenizing documents: the context must be at least 2 tokens, one to read and "
                            "one to predict, but it is {}; give a longer --context",
                            options.context));
  }
  EncodedCorpus result;
  result.documents = static_cast<int64_t>(corpus.documents.size());
  result.adds_bos = adds_bos(tokenizer, options.bos);
  result.bos_reason = explain_bos(tokenizer, options.bos);
  const size_t prefix = result.adds_bos ? 1 : 0;
  const size_t room = static_cast<size_t>(options.context) - (ASSAY_TWIN("data.context_without_bos") ? 0 : prefix);

  const auto add_example = [&](std::span<const int32_t> tokens, int64_t document, bool is_part) {
    Example example;
    if (result.adds_bos) example.tokens.push_back(*tokenizer.bos());
    example.tokens.insert(example.tokens.end(), tokens.begin(), tokens.end());
    if (example.tokens.size() < 2) ++result.without_target;
    result.dataset.examples.push_back(std::move(example));
    result.document_of.push_back(document);
    result.is_part.push_back(is_part);
  };

  for (int64_t i = 0; i < result.documents; ++i) {
    const Document& document = corpus.documents[static_cast<size_t>(i)];
    const std::vector<int32_t> tokens = tokenizer.encode(document.text);
    const std::span<const int32_t> all(tokens);
    if (tokens.empty()) refuse_empty(document);
    const bool is_long = tokens.size() > room;
    if (is_long) ++result.long_documents;
    if (is_long && options.long_texts == LongTexts::Refuse) {
      refuse_long(document, tokens.size() + prefix, options.context);
    }
    add_example(all.first(std::min(room, all.size())), i, is_long);
    if (is_long && options.long_texts == LongTexts::Cut) result.tokens_cut += static_cast<int64_t>(all.size() - room);
    if (is_long && options.long_texts == LongTexts::Split) {
      for (size_t from = room; from < all.size(); from += room) {
        add_example(all.subspan(from, std::min(room, all.size() - from)), i, true);
      }
    }
  }
  assign_ids(result.dataset);
  return result;
}

void require_targets(const EncodedCorpus& encoded, const std::string& path) {
  if (encoded.without_target < encoded.dataset.size() || ASSAY_TWIN("data.nothing_to_predict_allowed")) return;
  throw Error(ErrorKind::Data,
              fmt::format("tokenizing \"{}\": at least one document must have a token to predict, which has another "
                          "before it, but {} one token long; give longer documents{}",
                          path, encoded.documents == 1 ? "its one document is" : "all of its documents are",
                          encoded.adds_bos ? "" : ", or put a begin token before each, where the tokenizer has one"));
}

}  // namespace assay::data
