// From documents to a dataset of token sequences: BOS by rule, and a rule for texts that are longer than the context.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "assay/data/corpus.h"
#include "assay/data/corpus_manifest.h"
#include "assay/data/dataset.h"
#include "assay/data/tokenizer.h"

namespace assay::data {

enum class BosPolicy {
  Auto,  ///< what the tokenizer's own files say
  Yes,
  No,
};

struct EncodeOptions {
  int64_t context = 0;  ///< most tokens of an example, BOS included; >= 2
  LongTexts long_texts = LongTexts::Cut;
  BosPolicy bos = BosPolicy::Auto;
};

struct EncodedCorpus {
  Dataset dataset;
  std::vector<int64_t> document_of;  ///< by example: its place in the corpus (the identity unless texts were split)
  std::vector<bool> is_part;         ///< by example: whether it holds only a part of its document

  int64_t documents = 0;
  int64_t long_documents = 0;  ///< cut or split
  int64_t tokens_cut = 0;      ///< tokens that no example holds
  int64_t without_target = 0;  ///< examples of one token: nothing is predicted, they count nothing and score 0
  bool adds_bos = false;
  std::string bos_reason;  ///< "the tokenizer's files put <s> before every text"
};

/// Whether BOS is put before texts. Throws Error(Usage) for Yes where the tokenizer has none.
bool adds_bos(const Tokenizer& tokenizer, BosPolicy policy);
/// "the tokenizer's files put <s> before every text"
std::string bos_reason(const Tokenizer& tokenizer, BosPolicy policy);

/// How the tokens of one text become examples.
class ExampleRule {
 public:
  /// Error(Usage) for a context below 2 and a BOS that the tokenizer has not.
  ExampleRule(const Tokenizer& tokenizer, const EncodeOptions& options);

  /// BOS, where it stands before every example.
  const std::optional<int32_t>& bos() const { return bos_; }
  const std::string& bos_reason() const { return bos_reason_; }
  const EncodeOptions& options() const { return options_; }
  /// Tokens of a text that fit into one example.
  int64_t room() const { return room_; }

  /// Calls `add` with the own tokens of each example, BOS left out. `source` names the document; Error(Data) where it
  /// has no token, or more than fit and that is to be refused.
  void cut(std::span<const int32_t> tokens, const std::string& source,
           const std::function<void(std::span<const int32_t> own)>& add) const;

  /// Counts a document of so many tokens.
  void count(int64_t tokens, EncodedCorpus& corpus) const;

 private:
  EncodeOptions options_;
  std::optional<int32_t> bos_;
  std::string bos_reason_;
  int64_t room_ = 0;
};

/// Examples stand in the order of the corpus; ids are those of assign_ids (tokens and occurrence). A document that is
/// one token long is kept, so that score columns stay aligned: it has no target.
EncodedCorpus encode(const Corpus& corpus, const Tokenizer& tokenizer, const EncodeOptions& options);

/// Throws Error(Data) where no example has a token to predict: nothing could be measured or learnt. `path` names the
/// corpus.
void require_targets(const EncodedCorpus& encoded, const std::string& path);

}  // namespace assay::data
