// From documents to a dataset of token sequences: BOS by rule, and a rule for texts that are longer than the context.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "assay/data/corpus.h"
#include "assay/data/dataset.h"
#include "assay/data/tokenizer.h"

namespace assay::data {

enum class LongTexts {
  Cut,     ///< keep the first tokens
  Split,   ///< several examples, one after the other, each with its own BOS
  Refuse,  ///< throw Error(Data) naming the first
};

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

/// Examples stand in the order of the corpus; ids are those of assign_ids (tokens and occurrence). A document that is
/// one token long is kept, so that score columns stay aligned: it has no target.
EncodedCorpus encode(const Corpus& corpus, const Tokenizer& tokenizer, const EncodeOptions& options);

/// Throws Error(Data) where no example has a token to predict: nothing could be measured or learnt. `path` names the
/// corpus.
void require_targets(const EncodedCorpus& encoded, const std::string& path);

}  // namespace assay::data
