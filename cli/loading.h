// What several commands load in the same way: a model in the asked precision, documents under the data options.
#pragma once

#include <string>
#include <vector>

#include "assay/core/plan.h"
#include "assay/core/progress.h"
#include "assay/data/encode.h"
#include "assay/data/tokenized_corpus.h"
#include "assay/data/tokenizer.h"
#include "assay/nn/checkpoint.h"
#include "cli/common_options.h"
#include "cli/data_options.h"

namespace assay::cli {

/// Of the model's matrices.
at::ScalarType dtype_of(const CommonOptions& options);
data::BosPolicy bos_policy(BeginToken option);
data::LongTexts long_texts(LongText option);
data::CorpusOptions corpus_options(const DataOptions& options);

/// Tokens of the longest example: --context, else that of the token shards in --data, else the model's. Error(Usage)
/// where --context is beyond the model's, Error(Data) where the shards' is.
int64_t context_of(const DataOptions& options, const nn::Architecture& architecture);

/// Where a text of so many tokens goes beyond the positions that the model was trained on, a sentence that says so and
/// ends in `advice`; else empty.
std::string beyond_training(const nn::Architecture& architecture, int64_t tokens, const std::string& advice);
/// Of documents, which --context keeps short.
std::string beyond_training(const nn::Architecture& architecture, const data::Dataset& documents);

/// What reading a model costs: its bytes are read, converted and checked once. Counted from the files, nothing is
/// loaded.
Cost loading_cost(const std::string& model_path, Precision precision);

/// What messages call the data: the path as it was typed, or standard input.
std::string shown_name(const DataOptions& options);

/// Why documents of an index, or beside them, have BOS or not.
std::string bos_as_in_index(bool adds_bos);

/// The corpus of --data as tokens; what was passed over, dropped, cut and split is noted once. `group_field`: of JSONL
/// lines, where documents are to be grouped.
data::TokenizedCorpus load_text(const DataOptions& options, const data::Tokenizer& tokenizer, int64_t context,
                                Progress& progress, const std::string& group_field = {});

/// The manifest of a corpus and its counts, for result.json: {"documents", "examples", "tokens", "long", "hash", …}.
nlohmann::ordered_json corpus_json(const data::TokenizedCorpus& text);

/// "cut", "split", "refuse"
const char* long_text_name(LongText option) noexcept;

}  // namespace assay::cli
