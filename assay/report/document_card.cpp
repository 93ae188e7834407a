#include "assay/report/document_card.h"

#include <algorithm>
#include <cmath>

#include "assay/core/error.h"
#include "assay/report/attribution_sentences.h"
#include "assay/report/shade.h"

namespace assay::report {
namespace {

constexpr std::size_t kLargeWindow = 90;
constexpr std::size_t kCompactWindow = 40;
constexpr std::size_t kLongestFullText = 2000;

Html bar(double value, const CardScale& scale) {
  const double zero = axis_zero(scale);
  const double span = scale.largest_support + scale.largest_opposition;
  const double width = span > 0 ? 0.976 * std::abs(value) / span : 0;
  const double left = value < 0 ? zero - width : zero;
  return html("<div class=\"bar\" aria-hidden=\"true\"><i class=\"{}\" style=\"left:{}%;width:{}%\"></i></div>",
              !scale.is_signed ? "s5"
              : value < 0      ? "fn"
                               : "fp",
              fixed(100 * std::max(0.0, left), 1), fixed(100 * width, 1));
}

Html numbers_of(const Card& card, const CardScale& scale) {
  const std::string sign = !scale.is_signed || card.value == 0 ? "" : card.value > 0 ? " pos" : " neg";
  const std::string score =
      scale.is_signed ? scale.unit.print(card.value) : fixed(card.value * scale.unit.factor, scale.unit.decimals);
  const Html effect = effect_sentence(card.value, scale);
  Html details;
  if (scale.has_percentile) details += html("percentile {}", fixed(card.percentile, card.percentile > 99.95 ? 2 : 1));
  if (scale.raw_factor != 1) {
    const double raw = card.value / scale.raw_factor;
    details += html("{}raw {}", details.empty() ? "" : " · ", signed_significant(raw));
  }
  return html(
      "<div><p class=\"rk\">{}</p><p class=\"v{}\">{} <small>{}</small></p>{}<p class=\"dl\">{}{}{}</p></div>\n",
      card.rank, sign, score, scale.unit.name, bar(card.value, scale), effect,
      Html::markup(effect.empty() || details.empty() ? "" : "<br>"), details);
}

Html excerpt(const ValuedTokens& text, const Window& window, const CardScale& scale) {
  if (text.tokens.empty()) return Html::markup("<p class=\"x\">(empty)</p>\n");
  return html("<p class=\"x\">{}{}{}</p>\n", window.begin > 0 ? "… " : "", shade(text, window, scale.steps, scale.unit),
              window.end < text.tokens.size() ? " …" : "");
}

/// What the closed part says about itself: "Story 12, full text (321 tokens; this excerpt holds 99 % of its score)".
std::string summary_of(const ScoredDocument& document, const ValuedTokens& text, const Window& window,
                       const CardScale& scale) {
  const std::string name = capitalised(scale.noun.one) + " " + labelled(document.label, document.index);
  const std::string length =
      counted_in_digits(std::ssize(text.tokens), text.values.empty() ? Noun{"word", "words"} : Noun{"token", "tokens"});
  if (window.begin == 0 && window.end == text.tokens.size()) return name + " (" + length + ")";
  if (text.tokens.size() > kLongestFullText) return name + ", first " + count(kLongestFullText) + " of " + length;
  const double share = share_of_window(text, window);
  const bool has_share = share > 0 && share <= 1;
  return name + ", full text (" + length +
         (has_share ? "; this excerpt holds " + percent(share) + " of its score" : "") + ")";
}

Html full_text(const ScoredDocument& document, const ValuedTokens& text, const Window& window, const CardScale& scale) {
  const std::size_t shown = std::min(text.tokens.size(), kLongestFullText);
  const bool is_whole = window.begin == 0 && window.end == text.tokens.size();
  Html body;
  if (!is_whole) body += html("<div class=\"full\">{}</div>", shade(text, {0, shown}, scale.steps, scale.unit));
  if (!document.source.empty() || !document.id.empty()) {
    const Html id = document.id.empty() ? Html() : html("id <code>{}</code>", document.id);
    body += html("<p class=\"cap\">{}{}{}</p>", document.source,
                 document.source.empty() || document.id.empty() ? "" : " · ", id);
  }
  const std::string summary = summary_of(document, text, window, scale);
  return body.empty() ? html("<p class=\"cap\">{}</p>", summary)
                      : html("<details><summary>{}</summary>{}</details>", summary, body);
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
  ValuedTokens text = readable_tokens(document.tokens, document.token_scores);
  for (double& value : text.values) value = finite(value, "the score of a token") * scale.raw_factor;
  const Window window = best_window(text, card.is_large ? kLargeWindow : kCompactWindow);
  return html("<article class=\"c{}\" data-d=\"{}\">\n{}<div>{}{}</div>\n</article>\n", card.is_large ? "" : " m",
              document.index, numbers_of(card, scale), excerpt(text, window, scale),
              full_text(document, text, window, scale));
}

}  // namespace assay::report
