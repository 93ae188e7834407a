#include "assay/report/shade.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "assay/core/error.h"

namespace assay::report {
namespace {

constexpr std::string_view kBlanks = " \n\t\r";

bool ends_sentence(const std::string& token) {
  const std::size_t last = token.find_last_not_of(" \"'”’)");
  return last != std::string::npos && std::string_view(".!?\n").find(token[last]) != std::string_view::npos;
}

double value_at(const ValuedTokens& text, std::size_t i) {
  return text.values.empty() ? 0 : text.values[i];
}

double sum_of(const ValuedTokens& text, const Window& window, bool absolute) {
  double sum = 0;
  for (std::size_t i = window.begin; i < window.end; ++i) {
    sum += absolute ? std::abs(value_at(text, i)) : value_at(text, i);
  }
  return sum;
}

/// The longest window from `begin` that ends with a sentence, else simply the longest.
Window window_from(const ValuedTokens& text, std::size_t begin, std::size_t longest) {
  const std::size_t limit = std::min(text.tokens.size(), begin + longest);
  if (limit == text.tokens.size()) return {begin, limit};
  for (std::size_t end = limit; end > begin + longest / 3; --end) {
    if (ends_sentence(text.tokens[end - 1])) return {begin, end};
  }
  return {begin, limit};
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t word = std::min(text.find_first_not_of(kBlanks, begin), text.size());
    const std::size_t end = std::min(text.find_first_of(kBlanks, word), text.size());
    words.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return words;
}

/// One element for a run of tokens with the same class.
Html run_of(const std::string& text, const std::string& css_class, double sum, const ScoreUnit& unit) {
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (css_class.empty() || begin == std::string::npos) return Html::text(text);
  const std::size_t end = text.find_last_not_of(kBlanks) + 1;
  const bool is_strong = css_class[1] >= '3';
  const Html title = is_strong ? html(" title=\"{}\"", unit.with_name(sum)) : Html();
  return html("{}<i class={}{}>{}</i>{}", text.substr(0, begin), css_class, title, text.substr(begin, end - begin),
              text.substr(end));
}

}  // namespace

ValuedTokens readable_tokens(const std::vector<std::string>& tokens, const std::vector<double>& values) {
  if (!values.empty()) return merge_split_characters(tokens, values);
  std::string text;
  for (const std::string& token : tokens) text += token;
  return {words_of(text), {}};
}

Window best_window(const ValuedTokens& text, std::size_t longest) {
  ASSAY_ASSERT(longest > 0);
  Window best = window_from(text, 0, longest);
  double best_sum = sum_of(text, best, true);
  for (std::size_t begin = 1; begin < text.tokens.size(); ++begin) {
    if (!ends_sentence(text.tokens[begin - 1])) continue;
    const Window window = window_from(text, begin, longest);
    const double sum = sum_of(text, window, true);
    if (sum > best_sum * (1 + 1e-9)) {
      best = window;
      best_sum = sum;
    }
  }
  return best;
}

double share_of_window(const ValuedTokens& text, const Window& window) {
  const double total = std::accumulate(text.values.begin(), text.values.end(), 0.0);
  return total == 0 ? 0 : sum_of(text, window, false) / total;
}

Html shade(const ValuedTokens& text, const Window& window, const SignedSteps& steps, const ScoreUnit& unit) {
  Html out;
  std::string run;
  std::string run_class;
  double run_sum = 0;
  const auto flush = [&] {
    if (!run.empty()) out += run_of(run, run_class, run_sum, unit);
    run.clear();
    run_sum = 0;
  };
  for (std::size_t i = window.begin; i < window.end; ++i) {
    const std::string css_class = steps.css_class(value_at(text, i));
    if (css_class != run_class) flush();
    run_class = css_class;
    run += text.tokens[i];
    run_sum += value_at(text, i);
  }
  flush();
  return out;
}

Html shade_key(const SignedSteps& steps, const std::string& one_unit, const std::string& many_units) {
  const NamedUnit unit = unit_in_words(steps.thresholds()[3], one_unit, many_units);
  const auto threshold = [&](std::size_t step) { return unit.factor * steps.thresholds()[step - 1]; };
  Html items;
  for (std::size_t step = 4; step >= 1; --step) {
    items += html("<li><i class=\"n{}\"></i>{}</li>", step, tick_label(-threshold(step)));
  }
  items += Html::markup("<li class=\"o\"><i></i></li>");
  for (std::size_t step = 1; step <= 4; ++step) {
    items += html("<li style=\"text-align:left\"><i class=\"p{}\"></i>{}</li>", step, tick_label(threshold(step)));
  }
  return html(
      "<div class=\"key\"><span class=\"l neg\">opposes</span><ol aria-label=\"Colour steps, {} per token\">{}</ol>"
      "<span class=\"l pos\">supports</span><span style=\"line-height:16px\">{} per token; each step is five times "
      "the last; strongly opposing words are also dotted</span></div>\n",
      unit.name, items, unit.name);
}

}  // namespace assay::report
