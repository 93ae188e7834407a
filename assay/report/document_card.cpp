#include "assay/report/document_card.h"

#include <algorithm>
#include <cmath>

#include "assay/core/error.h"
#include "assay/report/attribution_sentences.h"
#include "assay/report/shade.h"

namespace assay::report {
namespace {

constexpr int kLargeCards = 4;
constexpr std::size_t kLargeWindow = 90;
constexpr std::size_t kCompactWindow = 40;
constexpr std::size_t kLongestFullText = 2000;

Html bar(double value, const CardScale& scale) {
  const double zero = axis_zero(scale);
  const double span = scale.largest_support + scale.largest_opposition;
  const double width = span > 0 ? 0.976 * std::abs(value) / span : 0;
  const double left = value < 0 ? zero - width : zero;
  return html("<div class=\"bar\" aria-hidden=\"true\"><i class=\"{}\" style=\"left:{}%;width:{}%\"></i></div>",
              value < 0 ? "fn" : "fp", fixed(100 * std::max(0.0, left), 1), fixed(100 * width, 1));
}

Html numbers_of(const Card& card, const CardScale& scale) {
  const std::string sign = card.value > 0 ? " pos" : card.value < 0 ? " neg" : "";
  const Html effect = effect_sentence(card.value, scale);
  Html details;
  if (scale.has_percentile) details += html("percentile {}", fixed(card.percentile, card.percentile > 99.95 ? 2 : 1));
  if (scale.raw_factor != 1) {
    const double raw = card.value / scale.raw_factor;
    details += html("{}raw {}", details.empty() ? "" : " · ", signed_significant(raw));
  }
  return html("<div><p class=\"rk\">{}</p><p class=\"v{}\">{} <small>{}</small></p>{}<p class=\"dl\">{}{}{}</p></div>\n",
              card.rank, sign, scale.unit.print(card.value), scale.unit.name, bar(card.value, scale), effect,
              Html::markup(effect.empty() || details.empty() ? "" : "<br>"), details);
}

Html excerpt(const ValuedTokens& text, const Window& window, const CardScale& scale) {
  if (text.tokens.empty()) return Html::markup("<p class=\"x\">(empty)</p>\n");
  return html("<p class=\"x\">{}{}{}</p>\n", window.begin > 0 ? "… " : "", shade(text, window, scale.steps, scale.unit),
              window.end < text.tokens.size() ? " …" : "");
}

Html full_text(const ScoredDocument& document, const ValuedTokens& text, const Window& window, const CardScale& scale) {
  const std::size_t shown = std::min(text.tokens.size(), kLongestFullText);
  const bool is_whole = window.begin == 0 && window.end == text.tokens.size();
  const std::string unit = text.values.empty() ? " words" : " tokens";
  std::string summary = capitalised(scale.noun.one) + " " + count(document.index);
  if (!is_whole) summary += shown < text.tokens.size() ? ", first " + count(static_cast<std::int64_t>(shown)) + " of " : ", full text (";
  if (is_whole) summary += " (";
  if (!is_whole && shown < text.tokens.size()) {
    summary += count(static_cast<std::int64_t>(text.tokens.size())) + unit;
  } else {
    summary += count(static_cast<std::int64_t>(text.tokens.size())) + unit;
    const double share = share_of_window(text, window);
    if (!is_whole && share > 0 && share <= 1) summary += "; this excerpt holds " + percent(share) + " of its score";
    summary += ")";
  }
  const Html origin = html("<p class=\"cap\">{}{}{}</p>", document.source, document.source.empty() ? "" : " · ",
                           document.id.empty() ? Html() : html("id <code>{}</code>", document.id));
  const bool has_origin = !document.source.empty() || !document.id.empty();
  const Html body = is_whole ? Html()
                             : html("<div class=\"full\">{}</div>", shade(text, {0, shown}, scale.steps, scale.unit));
  return html("<details><summary>{}</summary>{}{}</details>", summary, body, has_origin ? origin : Html());
}

}  // namespace

double axis_zero(const CardScale& scale) {
  const double span = scale.largest_support + scale.largest_opposition;
  return span > 0 ? 0.012 + 0.976 * scale.largest_opposition / span : 0.012;
}

Html document_card(const Card& card, const CardScale& scale) {
  ASSAY_ASSERT(card.document != nullptr);
  const ScoredDocument& document = *card.document;
  ASSAY_ASSERT(document.token_scores.empty() || document.token_scores.size() == document.tokens.size());
  const bool is_large = card.rank <= kLargeCards;
  ValuedTokens text = readable_tokens(document.tokens, document.token_scores);
  for (double& value : text.values) value = finite(value, "the score of a token") * scale.raw_factor;
  const Window window = best_window(text, is_large ? kLargeWindow : kCompactWindow);
  return html("<article class=\"c{}\" data-d=\"{}\">\n{}<div>{}{}</div>\n</article>\n", is_large ? "" : " m", document.index,
              numbers_of(card, scale), excerpt(text, window, scale), full_text(document, text, window, scale));
}

}  // namespace assay::report
