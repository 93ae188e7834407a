#include "assay/data/encode.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/data/tokenizer_definition.h"

namespace assay::data {
namespace {

[[noreturn]] void refuse_long(const std::string& source, size_t tokens, int64_t context) {
  throw Error(
      ErrorKind::Data,
      fmt::format("tokenizing {}: a document must fit into a context of {} tokens, but it has {}; allow a longer "
                  "context, or use --long cut or --long split",
                  source, context, tokens));
}

}  // namespace

std::string bos_reason(const Tokenizer& tokenizer, BosPolicy policy) {
  switch (policy) {
    case BosPolicy::Yes: return "asked for";
    case BosPolicy::No: return "asked not to";
    case BosPolicy::Auto: break;
  }
  return tokenizer.adds_bos()
             ? fmt::format("the tokenizer's files put {} before every text", tokenizer.token_text(*tokenizer.bos()))
             : "the tokenizer's files put nothing before a text";
}

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

ExampleRule::ExampleRule(const Tokenizer& tokenizer, const EncodeOptions& options)
    : options_(options), bos_reason_(assay::data::bos_reason(tokenizer, options.bos)) {
  if (options.context < 2) {
    throw Error(ErrorKind::Usage,
                fmt::format("tokenizing documents: the context must be at least 2 tokens, one to read and "
                            "one to predict, but it is {}; give a longer --context",
                            options.context));
  }
  if (adds_bos(tokenizer, options.bos)) bos_ = tokenizer.bos();
  room_ = options.context - (bos_ && !ASSAY_TWIN("data.context_without_bos") ? 1 : 0);
}

void ExampleRule::cut(std::span<const int32_t> tokens, const std::string& source,
                      const std::function<void(std::span<const int32_t> own)>& add) const {
  const auto room = static_cast<size_t>(room_);
  if (tokens.empty()) {
    throw Error(ErrorKind::Data,
                fmt::format("tokenizing {}: a document must have at least one token, but it has none: the tokenizer "
                            "drops all that stands in it; remove it",
                            source));
  }
  if (tokens.size() > room && options_.long_texts == LongTexts::Refuse)
    refuse_long(source, tokens.size() + (bos_ ? 1 : 0), options_.context);
  const size_t end = options_.long_texts == LongTexts::Split ? tokens.size() : std::min(room, tokens.size());
  for (size_t from = 0; from < end; from += room) add(tokens.subspan(from, std::min(room, end - from)));
}

void ExampleRule::count(int64_t tokens, EncodedCorpus& corpus) const {
  ++corpus.documents;
  if (tokens <= room_) return;
  ++corpus.long_documents;
  if (options_.long_texts == LongTexts::Cut) corpus.tokens_cut += tokens - room_;
}

EncodedCorpus encode(const Corpus& corpus, const Tokenizer& tokenizer, const EncodeOptions& options) {
  const ExampleRule rule(tokenizer, options);
  EncodedCorpus result;
  result.adds_bos = rule.bos().has_value();
  result.bos_reason = rule.bos_reason();
  for (const Document& document : corpus.documents) {
    const std::vector<int32_t> tokens = tokenizer.encode(document.text);
    const bool is_long = std::ssize(tokens) > rule.room();
    rule.cut(tokens, document.source, [&](std::span<const int32_t> own) {
      Example example;
      if (rule.bos()) example.tokens.push_back(*rule.bos());
      example.tokens.insert(example.tokens.end(), own.begin(), own.end());
      if (example.tokens.size() < 2) ++result.without_target;
      result.dataset.examples.push_back(std::move(example));
      result.document_of.push_back(result.documents);
      result.is_part.push_back(is_long);
    });
    rule.count(std::ssize(tokens), result);
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
