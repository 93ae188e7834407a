// The attribution page on the question itself: its words, and which of its tokens the model doubts.
#include <algorithm>
#include <cmath>

#include "assay/report/attribution_sentences.h"
#include "assay/report/token_strip.h"

namespace assay::report {

Html query_quote(const std::string& text) {
  constexpr std::size_t kLongest = 160;
  const std::size_t begin = std::min(text.find_first_not_of(' '), text.size());
  if (text.size() - begin <= kLongest)
    return html("<q>{}</q>", Html::text(std::string_view(text).substr(begin), Breaks::Show));
  // Cut between words: a cut inside a character would show as broken bytes.
  std::size_t head = text.rfind(' ', kLongest / 2);
  if (head == std::string::npos) head = 0;
  std::size_t tail = text.find(' ', text.size() - kLongest / 2);
  if (tail == std::string::npos) tail = text.size();
  return html("<q>{} … {}</q>", Html::text(std::string_view(text).substr(0, head), Breaks::Show),
              Html::text(std::string_view(text).substr(tail), Breaks::Show));
}

namespace {

/// The completion's least expected token.
struct Doubt {
  const QueryToken* token = nullptr;
  std::size_t index = 0;
  double probability = 1;
  double share = 0;                    ///< of the completion's surprise
  const Alternative* rival = nullptr;  ///< strongest other token
};

Doubt doubt_of(const DisplayTokens& shown) {
  Doubt doubt;
  double total = 0;
  double largest = -1;
  for (std::size_t i = static_cast<std::size_t>(shown.prompt_tokens); i < shown.tokens.size(); ++i) {
    const double nats = -shown.tokens[i].logprob_nats.value_or(0);
    total += nats;
    if (nats <= largest || !shown.tokens[i].logprob_nats) continue;
    largest = nats;
    doubt.token = &shown.tokens[i];
    doubt.index = i;
    doubt.probability = std::exp(-nats);
  }
  if (doubt.token == nullptr) return doubt;
  doubt.share = total > 0 ? largest / total : 0;
  for (const Alternative& alternative : doubt.token->alternatives) {
    if (alternative.text == doubt.token->text) continue;
    if (doubt.rival == nullptr || alternative.probability > doubt.rival->probability) doubt.rival = &alternative;
  }
  return doubt;
}

/// Without the blank before the word.
Html token_quote(const std::string& text) {
  const std::size_t word = text.find_first_not_of(' ');
  if (word == std::string::npos) return Html::markup("<q>␣</q>");
  return html("<q>{}</q>", Html::text(shortened(std::string_view(text).substr(word), 40), Breaks::Show));
}

}  // namespace

Html doubt_finding(const QueryFacts& facts) {
  const DisplayTokens shown = display_tokens(facts.query->tokens, facts.query->prompt_tokens);
  const Doubt doubt = doubt_of(shown);
  if (doubt.token == nullptr) return html("The {}, token by token", facts.thing());
  if (doubt.probability >= 0.9) return html("No real doubt: every token has at least {}", percent(doubt.probability));
  const Html own = html("{} {}", token_quote(doubt.token->text), percent(doubt.probability));
  if (doubt.rival == nullptr) return html("The largest doubt: {}", own);
  const Html rival = html("{} {}", token_quote(doubt.rival->text), percent(doubt.rival->probability));
  if (doubt.rival->probability > doubt.probability) return html("It would rather say {} than {}", rival, own);
  return html("{}: {}, {}", doubt.share >= 0.6 ? "The one real doubt" : "The largest doubt", own, rival);
}

Html doubt_note(const QueryFacts& facts) {
  const DisplayTokens shown = display_tokens(facts.query->tokens, facts.query->prompt_tokens);
  const Doubt doubt = doubt_of(shown);
  const auto logprob = facts.logprob_nats();
  if (!logprob || doubt.token == nullptr) return {};
  Html out = html("The completion’s log-probability is <b style=\"color:var(--ink)\">{} nats</b>", fixed(*logprob, 3));
  if (*logprob > -9.2) out += html(" ({})", percent(std::exp(*logprob), 1));
  out += Html::text(". ");
  if (doubt.share > 0 && shown.tokens.size() > static_cast<std::size_t>(shown.prompt_tokens) + 1) {
    out += html("One token, {}, holds {} of that", token_quote(doubt.token->text), percent(doubt.share));
    if (!doubt.token->alternatives.empty() && doubt.index > 0) {
      double named = 0;
      Html list;
      for (const Alternative& alternative : doubt.token->alternatives) {
        list += html("{} {}, ", token_quote(alternative.text), percent(alternative.probability));
        named += finite(alternative.probability, "the probability of an alternative");
      }
      const std::size_t before = doubt.index >= 2 ? doubt.index - 2 : 0;
      out += html(": after {} the model gives {}everything else {}",
                  query_quote(text_of(shown.tokens, before, doubt.index)), list, percent(std::max(0.0, 1 - named)));
    }
    out += Html::text(". ");
  }
  if (facts.query->has_boundary_token) {
    out +=
        Html::text("The end of the question and the start of the completion share one token; it counts as completion.");
  }
  return out;
}

}  // namespace assay::report
