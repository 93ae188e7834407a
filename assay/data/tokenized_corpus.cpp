#include "assay/data/tokenized_corpus.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "assay/core/twin.h"
#include "assay/data/token_shards.h"

namespace assay::data {
namespace {

constexpr int64_t kTokensInABlock = int64_t{1} << 20;
constexpr uint64_t kBytesThatTakeAWhile = uint64_t{1} << 25;

class TextsOfCorpus final : public ExampleTexts {
 public:
  TextsOfCorpus(const TokenizedCorpus& corpus, const Tokenizer& tokenizer) : corpus_(corpus), tokenizer_(tokenizer) {}

  int64_t size() const override { return std::ssize(corpus_.encoded.document_of); }

  void visit(std::span<const int64_t> rows,
             const std::function<void(int64_t row, std::string_view text)>& visit) const override {
    std::vector<int64_t> documents;
    for (const int64_t row : rows)
      if (!tells_by_tokens(row)) documents.push_back(corpus_.encoded.document_of[static_cast<size_t>(row)]);
    auto next = rows.begin();
    const auto visit_parts = [&] {
      for (; next != rows.end() && tells_by_tokens(*next); ++next)
        visit(*next, corpus_.text_of_tokens(tokenizer_, *next));
    };
    visit_parts();
    corpus_.documents.visit(documents, [&](int64_t, std::string_view text) {
      visit(*next++, text);
      visit_parts();
    });
  }

 private:
  bool tells_by_tokens(int64_t row) const {
    return !corpus_.has_files || corpus_.encoded.is_part[static_cast<size_t>(row)];
  }

  const TokenizedCorpus& corpus_;
  const Tokenizer& tokenizer_;
};

}  // namespace

std::string TokenizedCorpus::text_of_tokens(const Tokenizer& tokenizer, int64_t row) const {
  const TokenView tokens = encoded.dataset.examples[static_cast<size_t>(row)].tokens;
  std::string text;
  for (size_t t = encoded.adds_bos ? 1 : 0; t < tokens.size(); ++t) text += tokenizer.token_text(tokens[t]);
  return text;
}

TokenizedCorpus corpus_of_blocks(std::vector<std::shared_ptr<const TokenBlock>> blocks, int64_t limit,
                                 const ExampleRule& rule, CorpusFiles files, const CorpusOptions& reading,
                                 std::vector<std::string> groups) {
  TokenizedCorpus corpus;
  const int64_t most = limit > 0 ? limit : std::numeric_limits<int64_t>::max();
  corpus.documents = DocumentTable(blocks, most, std::move(files), reading, std::move(groups));
  EncodedCorpus& encoded = corpus.encoded;
  encoded.adds_bos = rule.bos().has_value();
  encoded.bos_reason = rule.bos_reason();
  int64_t begin = 0;  // of the block, in documents
  for (const auto& block : blocks) {
    const int64_t kept = std::min(block->documents(), corpus.documents.size() - begin);
    for (int64_t row = 0; row < kept; ++row) rule.count(block->document(row).tokens, encoded);
    for (int64_t row = 0; row < block->examples(); ++row) {
      const int64_t document = block->document_of(row);
      if (document >= corpus.documents.size()) break;
      encoded.document_of.push_back(document);
      encoded.is_part.push_back(block->document(document - begin).tokens > rule.room());
      if (block->example(row).tokens.size() < 2) ++encoded.without_target;
    }
    begin += block->documents();
  }
  encoded.dataset.examples = Examples(packed_examples(std::move(blocks), std::ssize(encoded.document_of)));
  return corpus;
}

TokenizedCorpus with_examples(const TokenizedCorpus& corpus, std::span<const int64_t> rows) {
  TokenizedCorpus some = corpus;
  EncodedCorpus& encoded = some.encoded;
  encoded.dataset = subset(corpus.encoded.dataset, rows);
  encoded.document_of.clear();
  encoded.is_part.clear();
  encoded.documents = encoded.without_target = encoded.long_documents = 0;
  for (const int64_t row : rows) {
    const auto place = static_cast<size_t>(row);
    const int64_t document =
        ASSAY_TWIN("data.kept_documents_renumbered") ? encoded.documents : corpus.encoded.document_of[place];
    const bool is_next = encoded.document_of.empty() || encoded.document_of.back() != document;
    encoded.document_of.push_back(document);
    encoded.is_part.push_back(corpus.encoded.is_part[place]);
    if (corpus.encoded.dataset.examples[place].tokens.size() < 2) ++encoded.without_target;
    if (is_next) ++encoded.documents;
    if (is_next && corpus.encoded.is_part[place]) ++encoded.long_documents;
  }
  return some;
}

CorpusManifest manifest_of(const CorpusReader& reader, const Tokenizer& tokenizer, const ExampleRule& rule) {
  return {.path = reader.files().path,
          .files = reader.facts(),
          .options = reader.options(),
          .read = reader.read(),
          .dropped = reader.dropped(),
          .is_limited = reader.is_limited(),
          .hash = {},
          .tokenizer_hash = tokenizer.hash(),
          .adds_bos = rule.bos().has_value(),
          .context = rule.options().context,
          .long_texts = rule.options().long_texts,
          .shards = {}};
}

TokenizedCorpus tokenize_corpus(const std::string& path, const CorpusOptions& reading, const Tokenizer& tokenizer,
                                const EncodeOptions& encoding, Progress& progress) {
  if (const std::string folder = token_shards_at(path); !folder.empty())
    return read_token_shards(folder, reading, tokenizer, encoding, progress);
  CorpusReader reader(find_corpus_files(path), reading);
  BlockEncoder encoder(reader, tokenizer, encoding, kTokensInABlock);
  const bool takes_a_while = reader.files().bytes() >= kBytesThatTakeAWhile;
  Progress& heard = takes_a_while ? progress : silent_progress();
  heard.begin("tokenizing", reading.limit > 0 ? 0 : static_cast<int64_t>(reader.files().bytes()), "bytes");
  std::vector<std::shared_ptr<const TokenBlock>> blocks;
  int64_t documents = 0;
  while (auto arrays = encoder.next(heard)) {
    blocks.push_back(std::make_shared<const TokenBlock>(*std::move(arrays), documents, io::Source{.name = path}));
    documents += blocks.back()->documents();
  }
  heard.end();
  reader.require_documents();
  CorpusManifest manifest = manifest_of(reader, tokenizer, encoder.rule());
  TokenizedCorpus corpus =
      corpus_of_blocks(std::move(blocks), 0, encoder.rule(), reader.files(), reading, encoder.take_groups());
  manifest.hash = corpus.documents.content_hash();
  corpus.manifest = std::move(manifest);
  return corpus;
}

std::shared_ptr<const ExampleTexts> texts_of(const TokenizedCorpus& corpus, const Tokenizer& tokenizer) {
  return std::make_shared<TextsOfCorpus>(corpus, tokenizer);
}

}  // namespace assay::data
