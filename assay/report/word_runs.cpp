#include "assay/report/word_runs.h"

#include <algorithm>
#include <map>

namespace assay::report {
namespace {

constexpr std::size_t kMostWords = 3;
constexpr std::size_t kLongestRun = 40;  // bytes
constexpr int kStrongStep = 3;

struct Word {
  std::string text;
  double value = 0;
  int step = 0;  ///< of its strongest token
};

/// Tokens joined to words: a token that begins with a blank, or follows one, begins a word.
std::vector<Word> words_of(const ValuedTokens& text, const SignedSteps& steps, double sign) {
  std::vector<Word> words;
  bool begins_word = true;
  for (std::size_t i = 0; i < text.tokens.size(); ++i) {
    const std::string& token = text.tokens[i];
    if (token.empty()) continue;
    const auto is_blank = [](char c) { return c == ' ' || c == '\n' || c == '\t'; };
    if (begins_word || is_blank(token.front())) words.emplace_back();
    begins_word = is_blank(token.back());
    words.back().text += token;
    words.back().value += sign * text.values[i];
    if (sign * text.values[i] > 0) words.back().step = std::max(words.back().step, steps.step(text.values[i]));
  }
  return words;
}

std::string without_punctuation(const std::string& text) {
  constexpr std::string_view kEdges = " \n\t\r.,;:!?\"'()[]{}<>-_*#";
  const std::size_t begin = text.find_first_not_of(kEdges);
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(kEdges) - begin + 1);
}

}  // namespace

std::vector<std::string> strongest_runs(const std::vector<ValuedTokens>& texts, const SignedSteps& steps, double sign,
                                        std::size_t wanted) {
  std::map<std::string, double> sums;
  double total = 0;
  for (const ValuedTokens& text : texts) {
    if (text.values.empty()) continue;
    std::string run;
    double value = 0;
    std::size_t words_in_run = 0;
    const auto flush = [&] {
      const std::string name = without_punctuation(run);
      if (!name.empty() && name.size() <= kLongestRun) sums[name] += value;
      run.clear();
      value = 0;
      words_in_run = 0;
    };
    for (const Word& word : words_of(text, steps, sign)) {
      total += std::max(0.0, word.value);
      const bool continues = word.step >= kStrongStep && word.value > 0 && words_in_run < kMostWords &&
                             word.text.find('\n') == std::string::npos;
      if (!continues) flush();
      if (word.step >= kStrongStep && word.value > 0) {
        run += word.text;
        value += word.value;
        ++words_in_run;
      }
    }
    flush();
  }
  std::vector<std::pair<double, std::string>> ranked;
  for (const auto& [name, value] : sums) ranked.emplace_back(value, name);
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<std::string> chosen;
  for (const auto& [value, name] : ranked) {
    if (chosen.size() == wanted || value < 0.1 * total) break;
    const bool repeats = std::any_of(chosen.begin(), chosen.end(), [&name = name](const std::string& other) {
      return other.find(name) != std::string::npos || name.find(other) != std::string::npos;
    });
    if (!repeats) chosen.push_back(name);
  }
  return chosen;
}

}  // namespace assay::report
