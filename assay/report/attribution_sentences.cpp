#include "assay/report/attribution_sentences.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "assay/report/measure_words.h"
#include "assay/report/token_strip.h"
#include "assay/report/trust_sentences.h"

namespace assay::report {
namespace {

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

std::string measurement_name(const std::string& measure) {
  if (measure == "loss") return "loss of the completion";
  if (measure == "margin") return "margin of the completion’s tokens against all others";
  return "sum of the log-probabilities of the completion’s tokens";
}

/// What the page calls the document of a column of the scores.
std::string name_of(const QueryView& query, std::int64_t column) {
  const auto shown = std::ranges::find(query.top, column, &ScoredDocument::index);
  return labelled(shown == query.top.end() ? std::string() : shown->label, column);
}

}  // namespace

// ── Headline ────────────────────────────────────────────────────────────────────────────────────────────────────────

std::string page_title(const QueryFacts& facts) {
  return "Assay: which " + facts.view->noun.many + " stand behind “" +
         visible(shortened(facts.completion, 60), Breaks::Show) + "”";
}

std::string headline_finding(const QueryFacts& facts) {
  const Support& support = facts.support;
  const Noun& noun = facts.view->noun;
  const std::string whose = "this " + facts.thing();
  const std::int64_t n = support.documents();
  if (n == 0) return "There was nothing to search: the corpus has no " + noun.many;
  if (facts.query->trust && verdict_of(*facts.query->trust) == Verdict::DoNotBelieve) {
    return "Do not believe these scores: the " + noun.many + " they name move " + whose +
           " no further than random ones do";
  }
  if (support.largest == 0) return "No " + noun.one + " moves " + whose + ": every score is zero";
  if (!facts.has_shares()) {
    return "By " + facts.view->method_title + ", " + noun.one + " " + name_of(*facts.query, support.order.front()) +
           " comes first of " + count(n);
  }
  if (n == 1) return "The only " + noun.one + (support.half == 0 ? " does not support " : " supports ") + whose;
  if (support.half == 0) return "None of the " + counted(n, noun) + " supports " + whose;
  const std::string condition = facts.is_removal() ? "" : "seen once more, ";
  if (!support.is_concentrated()) {
    return capitalised(condition + "no small group of " + noun.many +
                       (facts.is_removal() ? " carries " : " would carry ") + whose);
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
               : html("Asked to go on from {}, the model gives {} {}. ", query_quote(facts.prompt),
                      query_quote(facts.completion), probability_text(*logprob));
  }
  if (!facts.words_for.empty()) {
    out += html("The {} behind it act through {}", noun.many, quoted_list(facts.words_for));
    out += facts.words_against.empty()
               ? Html::text(". ")
               : html("; the strongest against it, through {}. ", quoted_list(facts.words_against));
  }
  if (facts.query->trust) {
    const TrustCheck& check = *facts.query->trust;
    const std::string done = check.is_retraining
                                 ? "Leaving out a " + noun.one + " that the scores put first lowers"
                                 : "One training step on a " + noun.one + " that the scores put first raises";
    out += html("{} the {} {}, {} (t = {}). ", done, facts.thing(), cases(check), against_random(check, noun),
                fixed(check.t, 1));
  } else if (facts.has_nats()) {
    out += Html::text("The scores were not checked by training: read the ranking as a hypothesis. ");
  }
  if (view.is_closeness) {
    out += html("{} ranks by how near the gradients are; what is far need not speak against the completion. ",
                view.method_title);
  } else if (!view.is_signed) {
    out += html("{} scores how alike texts are; it knows nothing of what the model learned from them. ",
                view.method_title);
  } else if (facts.has_nats() && !facts.is_removal()) {
    out += html(
        "Whether the model was trained on these {} is not known, so a score says what one more look at a {} would do.",
        noun.many, noun.one);
  }
  return out;
}

std::vector<std::string> headline_facts(const AttributionView& view, std::int64_t documents) {
  const std::string searched =
      view.filtered_from > 0
          ? count(documents) + " of " + counted_in_digits(view.filtered_from, view.noun) + ", those nearest in words"
          : counted_in_digits(documents, view.noun);
  std::vector<std::string> facts = {view.method_title,
                                    view.model.name + ", " + count(view.model.parameters) + " parameters",
                                    searched + (view.corpus.empty()      ? " searched"
                                                : view.filtered_from > 0 ? ", of " + view.corpus
                                                                         : " of " + view.corpus + ", all searched")};
  if (view.corpus_tokens > 0) facts.push_back(counted_in_digits(view.corpus_tokens, {"token", "tokens"}));
  const std::string tokens = count(view.context) + " tokens";
  if (view.documents_cut > 0) facts.push_back(count(view.documents_cut) + " cut at " + tokens);
  if (view.documents_split > 0)
    facts.push_back(counted_in_digits(view.documents_split, {"document", "documents"}) + " split at " + tokens);
  if (view.questions > std::ssize(view.queries)) {
    facts.push_back(count(view.questions) + " queries, the first " + count_in_words(std::ssize(view.queries)) +
                    " told here");
  } else if (view.queries.size() > 1) {
    facts.push_back(count(std::ssize(view.queries)) + " queries");
  }
  facts.push_back(view.date);
  return facts;
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
  const MeasureWords words = measure_words(facts.view->measure);
  const std::string colour =
      facts.has_shading ? " Colour shows through which words it acts, on one scale for all " + noun.many + "." : "";
  if (!facts.has_nats()) {
    return html("The number is the score as {} gives it; it is not a change of the model’s {}.{}",
                facts.view->method_title, words.name, colour);
  }
  const char* condition = facts.is_removal()
                              ? "{} of the completion’s {} if this one {} had not been in the training set"
                              : "{} of the completion’s {} if the model were trained on this one {} once more";
  return html(
      "The number is the predicted {}, as a layer predicts it on average: each predicts for itself, and their "
      "sum would count what any of them can do once for each.{}",
      fmt::format(fmt::runtime(condition), facts.is_removal() ? words.less : words.more, words.name, noun.one), colour);
}

std::string top_heading(const QueryFacts& facts) {
  const auto shown = std::ssize(facts.query->top);
  const Noun& noun = facts.view->noun;
  if (facts.has_shares() && shown == facts.support.half && facts.support.share(shown) < 0.52) {
    return capitalised(counted(shown, noun)) + " that " + (shown == 1 ? "carries" : "carry") + " half the support";
  }
  if (facts.has_shares() && facts.support.supporters() > 0) {
    return "The strongest for it: " + counted(shown, noun) + " with " + percent(facts.support.share(shown)) +
           " of the support";
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
  constexpr double kBeyond = 0.05;  // nats above certainty that rounding does not explain
  if (after > kBeyond)
    return html("{}, {} would pass 100&nbsp;%: more than a first-order estimate can tell", condition, scale.question);
  if (!pair.differs) return html("{}, {} stays at <b>{}&nbsp;%</b>", condition, scale.question, pair.first);
  return html("{}, {} {} from <b>{}</b> to <b>{}&nbsp;%</b>", condition, scale.question,
              p_after > p ? "rises" : "falls", pair.first, pair.second);
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
  std::vector<double> blocks;
  for (const auto& shares : layers.shares) {
    blocks.push_back(0);
    for (const double share : shares) blocks.back() += finite(share, "a layer's share");
  }
  if (blocks.empty()) return "No layer was traced";
  const std::size_t n = blocks.size();
  // Of a deep network a third says more than a block.
  constexpr std::size_t kDeep = 12;
  const std::size_t parts = n > kDeep ? 3 : n;
  std::vector<double> totals(parts, 0.0);
  for (std::size_t block = 0; block < n; ++block) totals[block * parts / n] += blocks[block];
  const auto strongest = static_cast<std::size_t>(std::max_element(totals.begin(), totals.end()) - totals.begin());
  const double share = totals[strongest];
  const std::string part = parts == n ? "block" : "third of the " + count(static_cast<std::int64_t>(n)) + " blocks";
  if (n > 1 && share < 1.2 / static_cast<double>(parts))
    return "No " + part + " stands out: the strongest carries " + percent(share);
  const std::string which = n == 1                   ? "the only "
                            : strongest + 1 == parts ? "the last "
                            : strongest == 0         ? "the first "
                            : parts == 3 && n > 3    ? "the middle "
                                                     : "";
  const std::string where = which.empty() ? "block " + std::to_string(strongest) : which + part;
  const std::string words = fraction_in_words(share);
  return capitalised(words.empty() ? percent(share) : words) + " of it runs through " + where;
}

Html layers_note(const LayerShares& layers, const Noun& noun) {
  const auto cells = layers.shares.size() * layers.matrices.size();
  const std::string whose = layers.documents == 1
                                ? "the strongest " + noun.one + "’s support"
                                : "the support of the " + counted(layers.documents, noun) + " shown first";
  return html(
      "Share of {} that flows through each weight matrix, in percent; the {} add up to 100. Input is at the bottom, "
      "output at the top.",
      whose, cells == 1 ? "cell" : count(static_cast<std::int64_t>(cells)) + " cells");
}

namespace {

/// "model.layers.*.input_layernorm.weight (30)": what differs only by a block's number is said once.
std::string names_by_kind(std::span<const std::string> names) {
  std::vector<std::pair<std::string, std::int64_t>> kinds;
  for (const std::string& name : names) {
    std::string kind;
    for (std::size_t at = 0; at < name.size(); ++at) {
      const bool is_digit = name[at] >= '0' && name[at] <= '9';
      if (!is_digit || (at > 0 && name[at - 1] != '.' && kind.back() != '*'))
        kind += name[at];
      else if (kind.empty() || kind.back() != '*')
        kind += '*';
    }
    const auto found = std::find_if(kinds.begin(), kinds.end(), [&](const auto& each) { return each.first == kind; });
    if (found == kinds.end())
      kinds.emplace_back(kind, 1);
    else
      ++found->second;
  }
  std::string list;
  for (const auto& [kind, number] : kinds)
    list += (list.empty() ? "" : "; ") + kind + (number > 1 ? " (" + count(number) + ")" : "");
  return list;
}

}  // namespace

Html not_covered_note(const AttributionView& view) {
  if (view.layers_not_covered.empty()) return {};
  return html("Not traced: {}.", names_by_kind(view.layers_not_covered));
}

Html no_trust_sentence(const QueryFacts& facts) {
  return html(
      "No check was run. Until a step of training on the strongest {} has been compared with one on random ones, this "
      "ranking is a hypothesis.",
      facts.view->noun.many);
}

// ── Provenance ──────────────────────────────────────────────────────────────────────────────────────────────────────

std::vector<ProvenanceRow> method_rows(const AttributionView& view) {
  const ModelFacts& model = view.model;
  std::string network =
      model.family + ", " + counted_in_digits(model.blocks, {"block", "blocks"}) + ", width " + count(model.width);
  if (model.heads > 0)
    network += ", " + counted_in_digits(model.heads, {"head", "heads"}) + " (" + count(model.kv_heads) + " key-value)";
  network += ", vocabulary " + count(model.vocabulary) + ", " + model.dtype;
  std::string sign = view.is_closeness ? "none: the higher, the nearer" : "this method has none";
  if (view.is_signed) {
    const MeasureWords words = measure_words(view.measure);
    sign = view.train_size ? fmt::format("+ : leaving the document out {} the {}", words.without, words.name)
                           : fmt::format("+ : one more look at the document {} the {}", words.with, words.name);
  }
  std::vector<ProvenanceRow> rows = {{"Network", "", network},
                                     {"Method", view.method, ""},
                                     {"Measurement", "", measurement_name(view.measure)},
                                     {"Sign", "", sign}};
  if (view.train_size) rows.push_back({"Training set", "", count(*view.train_size) + " " + view.noun.many});
  const std::string missing = names_by_kind(view.layers_not_covered);
  if (!missing.empty()) rows.push_back({"Not covered", "", missing});
  return rows;
}

}  // namespace assay::report
