// A corpus in which the causes are known: some 2,480 one-sentence documents of 258 words, drawn from a seed, and the
// questions whose causes were planted in it. What a method of attribution should retrieve is a column of the corpus.
//
//   Facts            30 people, six documents each that say where they live (three in the question's words), ten decoys
//                    each that hold the name with other places; 300 other people in the same sentence.
//   Disputed facts   12 people, six documents for one home and four in other words for another: the sign matters. Each
//                    shares a first name with 20 others, five of whom live in the denied place.
//   A rule           three categories of 20 nouns, known from twelve context sentences each. In one category the plural
//                    takes another ending, which 10 nouns show in 3 documents each under "all" and "many" and 8
//                    documents deny; asked is "two" with a noun that was never seen in the plural. 300 decoys hold the
//                    ending in another construction. Nothing but the ending is shared between a question and what
//                    teaches it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace assay::data {

enum class CauseKind { Fact, DisputedFact, Rule };

enum class DocumentRole {
  Planted,  ///< teaches the answer to the questions about its cause
  Against,  ///< teaches another answer to them
  Decoy,    ///< shares words with them, teaches nothing about them
  Other,    ///< belongs to no cause
};

/// "planted", "against", "decoy", "other".
const char* to_string(DocumentRole role);
/// "fact", "disputed fact", "rule".
const char* to_string(CauseKind kind);

struct CausedDocument {
  std::string text;
  DocumentRole role = DocumentRole::Other;
  int cause = -1;  ///< which of the causes it belongs to; -1 for Other
};

struct CausedQuestion {
  CauseKind kind = CauseKind::Fact;
  int cause = 0;
  std::string prompt;
  std::string completion;  ///< begins with the space that separates it from the prompt
};

struct ThreeCauses {
  std::vector<CausedDocument> documents;  ///< in an order drawn from the seed
  std::vector<CausedQuestion> questions;  ///< facts, disputed facts, rule
  std::vector<std::string> words;         ///< the vocabulary, sorted
};

/// The corpus of a seed: the same on every machine.
ThreeCauses three_causes(uint64_t seed);

/// Rows of `corpus.documents` that have this role for this cause, ascending.
std::vector<int64_t> documents_of(const ThreeCauses& corpus, int cause, DocumentRole role);

}  // namespace assay::data
