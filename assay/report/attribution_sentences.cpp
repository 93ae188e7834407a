#include "assay/report/attribution_sentences.h"

#include <algorithm>
#include <cmath>

#include "assay/report/token_strip.h"
#include "assay/report/trust_panel.h"

namespace assay::report {
namespace {

/// One word is a word, more are a sentence.
std::string thing(const QueryFacts& facts) {
  const std::string& text = facts.completion;
  const std::size_t begin = std::min(text.find_first_not_of(' '), text.size());
  const std::size_t gap = text.find_first_of(" \n", begin);
  const bool is_word = gap == std::string::npos || text.find_first_not_of(" \n", gap) == std::string::npos;
  return is_word ? "word" : "sentence";
}

std::string quoted_list(const std::vector<std::string>& words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    out += (i == 0 ? "“" : i + 1 == words.size() ? " and “" : ", “") + words[i] + "”";
  }
  return out;
}

std::string probability_text(double logprob_nats) {
  return logprob_nats > -9.2 ? "a probability of " + percent(std::exp(logprob_nats))
                             : "a log-probability of " + fixed(logprob_nats, 1) + " nats";
}

int raised(const TrustCheck& check) {
  return static_cast<int>(std::count_if(check.top.begin(), check.top.end(), [](const auto& d) { return d.measured_nats > 0; }));
}

std::string cases(const TrustCheck& check) {
  const auto n = std::ssize(check.top);
  if (n == 1) return raised(check) == 1 ? "in the one case tried" : "not even in the one case tried";
  return raised(check) == n ? "in all " + count_in_words(n) + " cases"
                            : "in " + count_in_words(raised(check)) + " of " + count_in_words(n) + " cases";
}

/// "21 times as far as a random document", or both means where their ratio would mislead.
std::string against_random(const TrustCheck& check, const Noun& noun) {
  const double times = check.top_mean.mean / check.random_mean.mean;
  if (check.random_mean.mean > 0 && times >= 1.5 && times < 1000) {
    return significant(times, 2) + " times as far as a random " + noun.one + " does";
  }
  return "by " + signed_significant(check.top_mean.mean) + " nats on average, and a random " + noun.one + " by " +
         signed_significant(check.random_mean.mean);
}

}  // namespace

// ── Headline ────────────────────────────────────────────────────────────────────────────────────────────────────────

std::string page_title(const QueryFacts& facts) {
  return "Assay: which " + facts.view->noun.many + " stand behind “" + visible(shortened(facts.completion, 60), Breaks::Show) + "”";
}

std::string headline_finding(const QueryFacts& facts) {
  const Support& support = facts.support;
  const Noun& noun = facts.view->noun;
  const std::string whose = "this " + thing(facts);
  const std::int64_t n = support.documents();
  if (n == 0) return "There was nothing to search: the corpus has no " + noun.many;
  if (facts.query->trust && verdict_of(*facts.query->trust) == Verdict::DoNotBelieve) {
    return "Do not believe these scores: the " + noun.many + " they name move " + whose + " no further than random ones do";
  }
  if (support.largest == 0) return "No " + noun.one + " moves " + whose + ": every score is zero";
  if (!facts.has_shares()) {
    return "By " + facts.view->method_title + ", " + noun.one + " " + count(support.order.front()) + " comes first of " + count(n);
  }
  if (support.half == 0) return "None of the " + counted(n, noun) + " supports " + whose;
  const std::string condition = facts.is_removal() ? "" : "seen once more, ";
  if (!support.is_concentrated()) {
    return capitalised(condition + "no small group of " + noun.many + (facts.is_removal() ? " carries " : " would carry ") + whose);
  }
  const double share = support.share(support.half);
  const std::string verb = !facts.is_removal() ? " would carry " : support.half == 1 ? " carries " : " carry ";
  return capitalised(condition + count_in_words(support.half) + " of " + count(n) + " " + noun.many + verb +
                     (share < 0.52 ? "half" : percent(share)) + " of " + whose + "’s support");
}

Html headline_deck(const QueryFacts& facts) {
  const AttributionView& view = *facts.view;
  const Noun& noun = view.noun;
  Html out;
  if (const auto logprob = facts.logprob_nats()) {
    out += facts.prompt.empty()
               ? html("The model gives {} {}. ", query_quote(facts.completion), probability_text(*logprob))
               : html("Asked to go on from {}, the model gives {} {}. ", query_quote(facts.prompt), query_quote(facts.completion),
                      probability_text(*logprob));
  }
  if (!facts.words_for.empty()) {
    out += html("The {} behind it act through {}", noun.many, quoted_list(facts.words_for));
    out += facts.words_against.empty() ? Html::text(". ")
                                       : html("; the strongest against it, through {}. ", quoted_list(facts.words_against));
  }
  if (facts.query->trust) {
    const TrustCheck& check = *facts.query->trust;
    const std::string done = check.is_retraining ? "Leaving out a " + noun.one + " that the scores put first lowers"
                                                 : "One training step on a " + noun.one + " that the scores put first raises";
    out += html("{} the {} {}, {} (t = {}). ", done, thing(facts), cases(check), against_random(check, noun), fixed(check.t, 1));
  } else if (facts.has_nats()) {
    out += Html::text("The scores were not checked by training: read the ranking as a hypothesis. ");
  }
  if (!view.is_signed) {
    out += html("{} scores how alike texts are; it knows nothing of what the model learned from them. ", view.method_title);
  } else if (facts.has_nats() && !facts.is_removal()) {
    out += html("Whether the model was trained on these {} is not known, so a score says what one more look at a {} would do.",
                noun.many, noun.one);
  }
  return out;
}

std::vector<std::string> headline_facts(const AttributionView& view, std::int64_t documents) {
  const std::string searched = documents == 1 ? "1 " + view.noun.one : count(documents) + " " + view.noun.many;
  std::vector<std::string> facts = {view.method_title,
                                    view.model.name + ", " + count(view.model.parameters) + " parameters",
                                    searched + (view.corpus.empty() ? " searched" : " of " + view.corpus + ", all searched")};
  if (view.corpus_tokens > 0) facts.push_back(count(view.corpus_tokens) + " tokens");
  if (view.queries.size() > 1) facts.push_back(count(std::ssize(view.queries)) + " queries");
  facts.push_back(view.date);
  return facts;
}

// ── The query ───────────────────────────────────────────────────────────────────────────────────────────────────────

Html query_quote(const std::string& text) {
  constexpr std::size_t kLongest = 160;
  const std::size_t begin = std::min(text.find_first_not_of(' '), text.size());
  if (text.size() - begin <= kLongest) return html("<q>{}</q>", Html::text(std::string_view(text).substr(begin), Breaks::Show));
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
  double share = 0;                          ///< of the completion's surprise
  const Alternative* rival = nullptr;        ///< strongest other token
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
  if (doubt.token == nullptr) return html("The {}, token by token", thing(facts));
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
      out += html(": after {} the model gives {}everything else {}", query_quote(text_of(shown.tokens, before, doubt.index)), list,
                  percent(std::max(0.0, 1 - named)));
    }
    out += Html::text(". ");
  }
  if (facts.query->has_boundary_token) {
    out += Html::text("The end of the question and the start of the completion share one token; it counts as completion.");
  }
  return out;
}

// ── Documents ───────────────────────────────────────────────────────────────────────────────────────────────────────

Html cards_finding(const QueryFacts& facts) {
  if (!facts.view->is_signed) return Html::text("What it ranks first");
  if (facts.words_for.empty() && facts.words_against.empty()) {
    return html("The strongest for it{}", facts.query->bottom.empty() ? "" : ", and the strongest against it");
  }
  Html out;
  if (!facts.words_for.empty()) out += html("For it: {}. ", quoted_list(facts.words_for));
  if (!facts.words_against.empty()) out += html("Against it: {}.", quoted_list(facts.words_against));
  return out;
}

Html cards_note(const QueryFacts& facts) {
  const Noun& noun = facts.view->noun;
  const std::string colour =
      facts.has_shading ? " Colour shows through which words it acts, on one scale for all " + noun.many + "." : "";
  if (!facts.has_nats()) {
    return html("The number is the score as {} gives it; it is not a change of the model’s log-probability.{}", facts.view->method_title,
                colour);
  }
  if (facts.is_removal()) {
    return html("The number is the predicted drop of the completion’s log-probability if this one {} had not been in the training set.{}",
                noun.one, colour);
  }
  return html("The number is the predicted rise of the completion’s log-probability if the model were trained on this one {} once more.{}",
              noun.one, colour);
}

std::string top_heading(const QueryFacts& facts) {
  const auto shown = std::ssize(facts.query->top);
  const Noun& noun = facts.view->noun;
  if (facts.has_shares() && shown == facts.support.half && facts.support.share(shown) < 0.52) {
    return capitalised(counted(shown, noun)) + " that " + (shown == 1 ? "carries" : "carry") + " half the support";
  }
  if (facts.has_shares() && facts.support.supporters() > 0) {
    return "The strongest for it: " + counted(shown, noun) + " with " + percent(facts.support.share(shown)) + " of the support";
  }
  return "The first " + (shown == 1 ? noun.one : counted(shown, noun)) + " of the ranking";
}

std::string bottom_heading(const QueryFacts& facts) {
  return facts.view->is_signed ? "The strongest against it" : "The last of the ranking";
}

Html effect_sentence(double value, const CardScale& scale) {
  if (!scale.logprob_nats || scale.question.empty()) return {};
  const double after = *scale.logprob_nats + (scale.is_removal ? -value : value);
  const double p = std::exp(std::min(0.0, *scale.logprob_nats));
  const double p_after = std::min(1.0, std::exp(after));
  if (p < 1e-6) return {};
  const PercentPair pair = percent_pair(p, p_after);
  const std::string condition = scale.is_removal ? "Without it" : "If seen once more";
  if (!pair.differs) return html("{}, {} stays at <b>{}&nbsp;%</b>", condition, scale.question, pair.first);
  return html("{}, {} {} from <b>{}</b> to <b>{}&nbsp;%</b>", condition, scale.question, p_after > p ? "rises" : "falls", pair.first,
              pair.second);
}

// ── All scores, layers ──────────────────────────────────────────────────────────────────────────────────────────────

std::string distribution_finding(const QueryFacts& facts) {
  const Support& support = facts.support;
  const Noun& noun = facts.view->noun;
  if (support.largest == 0) return "Every score is zero";
  if (!facts.has_nats()) return "Where the " + noun.many + " shown stand among all";
  if (support.median_size == 0) return "Most " + noun.many + " score exactly zero";
  const double spread = support.largest / support.median_size;
  if (spread >= 100) return "Most " + noun.many + " hardly matter; a few matter a lot";
  if (spread >= 10) return "A few " + noun.many + " matter far more than the middle one";
  return "No " + noun.one + " stands out from the rest";
}

Html distribution_note(const QueryFacts& facts) {
  const Support& support = facts.support;
  const std::string one = facts.view->noun.one;
  Html out;
  if (support.documents() > 2000) {
    out += html("Bars count {}; the strong dots are those shown above.", facts.view->noun.many);
  } else {
    out += html("One dot is one {}; the strong dots are those shown above.", one);
  }
  if (facts.has_nats() && support.median_size > 0) {
    out += html(" Half of all lie within ±{} {} of zero; the largest is {} times that.",
                significant(support.median_size * facts.unit.factor, 2), facts.unit.name,
                significant(support.largest / support.median_size, 2));
  }
  return out;
}

std::string layers_finding(const LayerShares& layers) {
  std::size_t strongest = 0;
  double largest = -1e300;
  for (std::size_t block = 0; block < layers.shares.size(); ++block) {
    double total = 0;
    for (const double share : layers.shares[block]) total += finite(share, "a layer's share");
    if (total > largest) {
      largest = total;
      strongest = block;
    }
  }
  if (layers.shares.empty()) return "No layer was traced";
  const std::string words = fraction_in_words(largest);
  const std::string where = layers.shares.size() == 1            ? "the only block"
                            : strongest + 1 == layers.shares.size() ? "the last block"
                            : strongest == 0                       ? "the first block"
                                                                   : "block " + std::to_string(strongest);
  return capitalised(words.empty() ? percent(largest) : words) + " of it runs through " + where;
}

Html layers_note(const LayerShares& layers, const Noun& noun) {
  const auto cells = layers.shares.size() * layers.matrices.size();
  const std::string whose = layers.documents == 1 ? "the strongest " + noun.one + "’s support"
                                                  : "the support of the " + counted(layers.documents, noun) + " shown first";
  return html("Share of {} that flows through each weight matrix, in percent; the {} add up to 100. Input is at the bottom, output at "
              "the top.", whose, cells == 1 ? "cell" : count(static_cast<std::int64_t>(cells)) + " cells");
}

Html not_covered_note(const AttributionView& view) {
  if (view.layers_not_covered.empty()) return {};
  std::string list;
  for (const std::string& layer : view.layers_not_covered) list += (list.empty() ? "" : "; ") + layer;
  return html("Not traced: {}.", list);
}

// ── Trust ───────────────────────────────────────────────────────────────────────────────────────────────────────────

std::string trust_finding(const TrustCheck& check) {
  switch (verdict_of(check)) {
    case Verdict::Believe:
    case Verdict::DirectionHolds: return "The direction holds " + cases(check);
    case Verdict::Hint: return "A hint: the direction holds " + cases(check) + ", but random ones come close";
    case Verdict::DoNotBelieve: return "Training does not bear these scores out";
  }
  return "";
}

Html trust_note(const TrustCheck& check, const Noun& noun) {
  Html out = html("{} ", check.step);
  if (check.is_retraining) out += Html::text("Rings: what the scores predict. Dots: what happened. ");
  return out + html("Lines through the means: 95 % bootstrap interval over {}.", noun.many);
}

std::string trust_title(const TrustCheck& check) {
  return check.is_retraining ? "Predicted and measured effect of leaving documents out" : "Measured effect of one training step";
}

std::string trust_description(const TrustCheck& check, const Noun& noun, int decimals) {
  const auto mean = [&](const Interval& value) {
    return signed_fixed(value.mean, decimals) + " " + interval(value, decimals) + " nats";
  };
  return "The " + counted(std::ssize(check.top), noun) + " that the scores put first: mean " + mean(check.top_mean) + ". " +
         capitalised(count_in_words(std::ssize(check.random))) + " random: mean " + mean(check.random_mean) + ". t = " + fixed(check.t, 1) + ".";
}

std::string change_axis_title(const TrustCheck& check) {
  return check.is_retraining ? "loss of log-probability without the document, nats" : "gain in log-probability after one step, nats";
}

std::string verdict_sentence(const TrustCheck& check, const Noun& noun) {
  const std::string t = " (t = " + fixed(check.t, 1) + ")";
  const std::string effect = "the strongest " + noun.many + " move the completion " + against_random(check, noun) + t + ". ";
  std::string size;
  if (check.is_retraining && check.ratio) {
    size = "Measured over predicted is " + fixed(check.ratio->mean, 2) + " " + interval(*check.ratio, 2) + ".";
  }
  const std::string untested = check.is_retraining
                                   ? size
                                   : "A small step tests the gradient, not the removal: what the model would be without a " +
                                         noun.one + " was not tested.";
  switch (verdict_of(check)) {
    case Verdict::Believe: return "Believe the ranking: " + effect + untested;
    case Verdict::DirectionHolds: return "The direction holds: " + effect + untested;
    case Verdict::Hint: return "A hint, no more: " + effect + untested;
    case Verdict::DoNotBelieve:
      return "Do not believe these scores: in training, the strongest " + noun.many + " cannot be told from random ones" + t + ". " + untested;
  }
  return "";
}

Html no_trust_sentence(const QueryFacts& facts) {
  return html("No check was run. Until a step of training on the strongest {} has been compared with one on random ones, this ranking is "
              "a hypothesis.", facts.view->noun.many);
}

// ── How to read this ────────────────────────────────────────────────────────────────────────────────────────────────

std::vector<ReadingLine> reading_lines(const QueryFacts& facts) {
  const AttributionView& view = *facts.view;
  const Noun& noun = view.noun;
  std::vector<ReadingLine> lines;
  if (facts.has_nats()) {
    Html unit = facts.is_removal()
                    ? html("A score is in nats: the predicted drop of the completion’s log-probability if this one {} were left out of training.", noun.one)
                    : html("A score is in nats: the predicted rise of the completion’s log-probability if the model were trained on this one {} once more.", noun.one);
    const auto logprob = facts.logprob_nats();
    if (logprob && *logprob > -9.2 && facts.support.largest > 0) {
      const double step = std::pow(10.0, std::floor(std::log10(facts.support.largest)));
      const PercentPair pair = percent_pair(std::exp(*logprob), std::min(1.0, std::exp(*logprob + (facts.is_removal() ? -step : step))));
      if (pair.differs) unit += html(" {} nats takes {} % to {} %.", significant(step, 1), pair.first, pair.second);
    }
    lines.push_back({"Unit.", unit});
  } else {
    lines.push_back({"Unit.", html("A score is {} as it comes. It ranks {}; it does not predict a change of the model.", view.method_title, noun.many)});
  }
  if (view.is_signed) {
    const std::string loss = view.measure == "loss" ? " The measurement is the loss: a supporter lowers it." : "";
    lines.push_back({"Sign.", html("<b class=\"pos\">Plus supports</b>: with the {} the completion is more likely than without. <b class=\"neg\">Minus "
                                   "opposes</b>: less likely. Blue and orange mean this everywhere.{}", noun.one, loss)});
  } else {
    lines.push_back({"Sign.", html("This method has none: it cannot tell a {} that supports the completion from one that speaks against it.", noun.one)});
  }
  if (facts.has_shading) {
    lines.push_back({"Words.", html("A word’s colour is the part of the score that flows through its position; a {}’s words add up to its score. "
                                    "It does not say that the word is the reason.", noun.one)});
  }
  std::string raw = facts.has_nats() && view.nats_per_raw ? "The raw score is the score times " + significant(1 / *view.nats_per_raw) + ". " : "";
  lines.push_back({facts.has_nats() ? "Raw and percentile." : "Percentile.",
                   html("{}Percentile 99.9 means that one {} in a thousand scores higher or equal.", raw, noun.one)});
  if (facts.has_nats()) {
    lines.push_back({"Limits.", html("A first-order estimate at the final weights, layers taken one by one. Many alike {} can replace each other: "
                                     "removing one of them then changes less than its score says.", noun.many)});
  } else {
    lines.push_back({"Limits.", html("This is a baseline to compare with. That two texts are alike does not show that the model learned one from the other.")});
  }
  return lines;
}

}  // namespace assay::report
