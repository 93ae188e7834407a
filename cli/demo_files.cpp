#include "cli/demo_files.h"

#include <nlohmann/json.hpp>

#include "assay/io/atomic_file.h"

namespace assay::cli {
namespace {

constexpr const char* kUnknown = "<unk>";

}  // namespace

std::string demo_corpus_lines(const data::ThreeCauses& corpus) {
  std::string lines;
  for (const data::CausedDocument& document : corpus.documents) {
    nlohmann::ordered_json line{{"text", document.text}, {"role", to_string(document.role)}, {"cause", nullptr}};
    if (document.cause >= 0) line["cause"] = document.cause;
    lines += line.dump() + "\n";
  }
  return lines;
}

std::string demo_query_lines(const data::ThreeCauses& corpus) {
  std::string lines;
  for (const data::CausedQuestion& question : corpus.questions) {
    const nlohmann::ordered_json line{{"prompt", question.prompt},
                                      {"completion", question.completion},
                                      {"kind", to_string(question.kind)},
                                      {"cause", question.cause}};
    lines += line.dump() + "\n";
  }
  return lines;
}

data::Tokenizer demo_tokenizer(const data::ThreeCauses& corpus) {
  std::vector<std::string> words{kUnknown};
  words.insert(words.end(), corpus.words.begin(), corpus.words.end());
  return data::word_level_tokenizer(words, kUnknown);
}

void write_demo_files(const data::ThreeCauses& corpus, const std::string& folder) {
  io::write_file(folder + "/corpus.jsonl", demo_corpus_lines(corpus));
  io::write_file(folder + "/queries.jsonl", demo_query_lines(corpus));
  data::save_tokenizer(demo_tokenizer(corpus), folder);
}

}  // namespace assay::cli
