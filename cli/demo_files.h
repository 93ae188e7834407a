// What the demo leaves for others to check: the corpus with the label of every document, the questions, the tokenizer.
#pragma once

#include <string>

#include "assay/data/generated/three_causes.h"
#include "assay/data/tokenizer.h"

namespace assay::cli {

/// One line a document: {"text", "role", "cause"}; `cause` numbers what a document belongs to and is null for others.
std::string demo_corpus_lines(const data::ThreeCauses& corpus);

/// One line a question: {"prompt", "completion", "kind", "cause"}.
std::string demo_query_lines(const data::ThreeCauses& corpus);

/// Writes corpus.jsonl, queries.jsonl and the tokenizer into `folder`.
void write_demo_files(const data::ThreeCauses& corpus, const std::string& folder);

/// Every word one token, and one more for words that the corpus lacks.
data::Tokenizer demo_tokenizer(const data::ThreeCauses& corpus);

}  // namespace assay::cli
