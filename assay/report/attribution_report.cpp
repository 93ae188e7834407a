#include "assay/report/attribution_report.h"

#include <algorithm>
#include <cmath>

#include "assay/report/attribution_facts.h"
#include "assay/report/attribution_sentences.h"
#include "assay/report/distribution.h"
#include "assay/report/document_card.h"
#include "assay/report/heat_map.h"
#include "assay/report/page.h"
#include "assay/report/shade.h"
#include "assay/report/share_curve.h"
#include "assay/report/spectrum_bars.h"
#include "assay/report/sum_bars.h"
#include "assay/report/support_strip.h"
#include "assay/report/svg.h"
#include "assay/report/table_details.h"
#include "assay/report/token_strip.h"
#include "assay/report/trust_panel.h"
#include "assay/report/trust_sentences.h"

namespace assay::report {
namespace {

/// Queries after the first that get a section of their own; the rest are rows of the overview.
constexpr std::size_t kMostOtherQueries = 12;
constexpr std::size_t kCardsOfOtherQuery = 3;
constexpr std::size_t kLargeCards = 4;

CardScale card_scale(const QueryFacts& facts) {
  CardScale scale;
  scale.unit = facts.unit;
  scale.steps = facts.steps;
  scale.noun = facts.view->noun;
  scale.largest_support = facts.support.supporting.empty() ? 0 : facts.support.supporting.front();
  scale.largest_opposition = facts.support.opposing.empty() ? 0 : facts.support.opposing.front();
  scale.is_removal = facts.is_removal();
  scale.raw_factor = facts.raw_factor();
  scale.is_signed = facts.view->is_signed;
  scale.has_percentile = facts.support.documents() > 1;
  if (facts.has_nats() && facts.view->measure == "logprob") {
    scale.logprob_nats = facts.logprob_nats();
    if (facts.completion.size() <= 48) scale.question = query_quote(facts.completion);
    if (facts.completion.size() > 48) scale.question = Html::text("the completion");
  }
  return scale;
}

Html cards(const QueryFacts& facts, const CardScale& scale, const std::vector<ScoredDocument>& documents,
           std::size_t most, std::size_t large) {
  Html out;
  for (std::size_t i = 0; i < std::min(documents.size(), most); ++i) {
    const auto index = static_cast<std::size_t>(documents[i].index);
    out += document_card({.rank = 1 + static_cast<int>(i),
                          .is_large = i < large,
                          .document = &documents[i],
                          .value = facts.values[index],
                          .percentile = percentile_of(facts.values, documents[i].index)},
                         scale);
  }
  return out;
}

Html axis_of(const CardScale& scale, const Html& content) {
  return html("<div style=\"--z:{}\">\n{}</div>\n", across(axis_zero(scale)), content);
}

std::vector<std::int64_t> indices(const std::vector<ScoredDocument>& documents) {
  std::vector<std::int64_t> out;
  for (const ScoredDocument& document : documents) out.push_back(document.index);
  return out;
}

Html sentence_section(const QueryFacts& facts) {
  if (facts.query->tokens.empty()) return {};
  const Html reading = facts.query->prompt_tokens > 0
                           ? Html::text(
                                 "Bars hang as long as the model was surprised, in nats. The filled ones are measured; "
                                 "the hollow ones belong to the question and are only shown for comparison.")
                           : Html::text("Bars hang as long as the model was surprised, in nats.");
  return section({.id = "sentence",
                  .name = "The sentence",
                  .finding = doubt_finding(facts),
                  .notes = {reading},
                  .stage = token_strip(facts.query->tokens, facts.query->prompt_tokens, doubt_note(facts))});
}

Html documents_section(const QueryFacts& facts) {
  const CardScale scale = card_scale(facts);
  Html stage;
  if (facts.has_shading)
    stage += shade_key(facts.steps, facts.has_nats() ? "a nat" : "the score",
                       facts.has_nats() ? "nats" : "units of the score");
  if (!facts.query->top.empty()) {
    stage += html("<h3 class=\"big{}\">{}</h3>\n{}", facts.view->is_signed ? " pos" : "", top_heading(facts),
                  cards(facts, scale, facts.query->top, facts.query->top.size(), kLargeCards));
  }
  if (!facts.query->bottom.empty()) {
    stage += html("<h3 class=\"big{}\">{}</h3>\n{}", facts.view->is_signed ? " neg" : "", bottom_heading(facts),
                  cards(facts, scale, facts.query->bottom, facts.query->bottom.size(), kLargeCards - 1));
  }
  return wide_section({.id = "documents",
                       .name = "The " + facts.view->noun.many,
                       .finding = cards_finding(facts),
                       .notes = {cards_note(facts)},
                       .stage = axis_of(scale, stage)});
}

Html scores_section(const QueryFacts& facts, FigureNumbers& numbers) {
  const std::string n = count(facts.support.documents());
  Html stage = distribution(numbers, facts.values, indices(facts.query->top), indices(facts.query->bottom), facts.unit,
                            facts.view->noun, facts.view->is_signed);
  if (facts.has_shares()) stage += share_curve(numbers, facts.support, facts.view->noun);
  return section({.id = "all",
                  .name = facts.support.documents() == 1 ? "The one score" : "All " + n + " scores",
                  .finding = Html::text(distribution_finding(facts)),
                  .notes = {distribution_note(facts)},
                  .stage = stage});
}

Html layers_section(const QueryFacts& facts) {
  const LayerShares& layers = *facts.query->layers;
  return section({.id = "where",
                  .name = "Where in the network",
                  .finding = Html::text(layers_finding(layers)),
                  .notes = {layers_note(layers, facts.view->noun), not_covered_note(*facts.view)},
                  .stage = heat_map(layers)});
}

/// Every page of scores has this section, with or without a check.
Html trust_section(const QueryFacts& facts, FigureNumbers& numbers) {
  Section out{.id = "trust", .name = "How far to believe it", .finding = {}, .notes = {}, .stage = {}};
  if (facts.query->trust) {
    out.finding = Html::text(trust_finding(*facts.query->trust));
    out.notes = {trust_note(*facts.query->trust, facts.view->noun)};
    out.stage = trust_panel(numbers, *facts.query->trust, facts.view->noun);
  } else {
    out.finding = Html::text("Not checked");
    out.stage = html("<p class=\"verdict\">{}</p>", no_trust_sentence(facts));
  }
  if (facts.view->stability) {
    out.notes.push_back(
        html("Between two draws of the labels that fit the curvature, the scores of all {} agree with a Spearman "
             "correlation of {}.",
             facts.view->noun.many, fixed(*facts.view->stability, 2)));
  }
  if (facts.view->curvature) out.stage += spectrum_bars(numbers, *facts.view->curvature);
  for (const std::string& warning : facts.view->warnings) {
    out.stage += html("<p class=\"n\" style=\"margin-top:14px\"><b>Note.</b> {}</p>\n", warning);
  }
  return section(out);
}

/// One row a query, so that many can be compared at a glance.
Html overview(const std::vector<QueryFacts>& all) {
  const QueryFacts& first = all.front();
  const bool has_shares = first.has_shares();
  std::vector<Column> columns = {{"Query"}, {"Completion"}, {"Log-probability, nats", true}};
  if (has_shares) columns.push_back({"Carry half", true});
  columns.push_back({"First", true});
  columns.push_back({first.has_nats() ? "Its score, nats" : "Its score", true});
  TableRows rows;
  for (const QueryFacts& facts : all) {
    const auto logprob = facts.logprob_nats();
    std::vector<Html> row = {query_quote(facts.prompt), query_quote(facts.completion),
                             Html::text(logprob ? fixed(*logprob, 2) : "")};
    if (has_shares) row.push_back(Html::text(facts.support.half > 0 ? count(facts.support.half) : "none"));
    const bool is_empty = facts.support.order.empty();
    row.push_back(Html::text(is_empty ? "" : count(facts.support.order.front())));
    row.push_back(Html::text(
        is_empty ? "" : signed_significant(facts.values[static_cast<std::size_t>(facts.support.order.front())])));
    rows.push_back(std::move(row));
  }
  return html("<div class=\"scroll\">{}</div>\n", table(columns, rows));
}

/// A further query in short: what was found, its three strongest documents, the strongest against it, the check's
/// verdict.
Html other_query(const QueryFacts& facts) {
  const CardScale scale = card_scale(facts);
  const Html documents =
      cards(facts, scale, facts.query->top, kCardsOfOtherQuery, 0) + cards(facts, scale, facts.query->bottom, 1, 0);
  Html verdict;
  if (facts.query->trust)
    verdict = html("<p class=\"n\">{}</p>\n", verdict_sentence(*facts.query->trust, facts.view->noun));
  return html("<article class=\"oq\">\n<h3 class=\"big\">{}</h3>\n<p class=\"n\">{} → {}</p>\n{}{}</article>\n",
              headline_finding(facts), query_quote(facts.prompt), query_quote(facts.completion),
              axis_of(scale, documents), verdict);
}

Html other_queries_section(const std::vector<QueryFacts>& all) {
  Html stage = overview(all);
  const std::size_t end = std::min(all.size(), kMostOtherQueries + 1);
  for (std::size_t i = 1; i < end; ++i) stage += other_query(all[i]);
  Section out{.id = "others", .name = "The other queries", .finding = {}, .notes = {}, .stage = stage};
  out.finding = html("{} more, each with its strongest {}", capitalised(count_in_words(std::ssize(all) - 1)),
                     all.front().view->noun.many);
  if (end < all.size()) {
    out.notes.push_back(
        html("The first {} are told below; the rest have a row in the table, and all scores are in scores.safetensors.",
             kMostOtherQueries));
  }
  return wide_section(out);
}

Html sums_section(const QueryFacts& facts) {
  const AttributionView& view = *facts.view;
  Html stage;
  for (const SumView& sum : view.sums) stage += sum_bars(sum, facts.raw_factor(), facts.unit.name, view.noun);
  const bool are_groups = view.sums.front().is_groups;
  return wide_section(
      {.id = "sums",
       .name = are_groups ? "Groups" : "All queries together",
       .finding = are_groups
                      ? html("{} of {}, by the sum of their scores",
                             counted_in_digits(std::ssize(view.sums.front().rows), {"group", "groups"}), view.noun.many)
                      : html("The {} that matter over all queries", view.noun.many),
       .notes = {Html::text("Scores add up: a sum is the influence of all its members at once, to first order. It says "
                            "nothing about how they act on each other.")},
       .stage = stage});
}

/// The command's rows first; ours where it has not written one of that name.
Html provenance_section(const AttributionView& view) {
  Provenance out = view.provenance;
  for (const ProvenanceRow& row : method_rows(view)) {
    const bool is_known = std::any_of(out.rows.begin(), out.rows.end(),
                                      [&](const ProvenanceRow& known) { return known.name == row.name; });
    if (!is_known) out.rows.push_back(row);
  }
  return provenance(out);
}

}  // namespace

std::string attribution_report(const AttributionView& view) {
  const std::vector<QueryFacts> all = facts_of(view);
  const QueryFacts& facts = all.front();
  const std::int64_t documents = facts.support.documents();
  FigureNumbers numbers;
  std::vector<Anchor> anchors;
  Html main = headline(Html::text(headline_finding(facts)), headline_deck(facts), headline_facts(view, documents));
  const auto add = [&](const std::string& id, const std::string& text, const Html& content) {
    if (content.empty()) return;
    anchors.push_back({id, text});
    main += content;
  };
  if (facts.has_shares()) {
    main += support_strip(numbers, facts.support, facts.unit, view.noun, std::ssize(facts.query->top));
  }
  add("sentence", "The sentence", sentence_section(facts));
  if (!facts.query->top.empty() || !facts.query->bottom.empty()) {
    add("documents", "The " + view.noun.many, documents_section(facts));
  }
  if (!view.sums.empty()) add("sums", view.sums.front().is_groups ? "Groups" : "Together", sums_section(facts));
  if (documents > 0) add("all", "All scores", scores_section(facts, numbers));
  if (facts.query->layers && !facts.query->layers->shares.empty()) add("where", "Where", layers_section(facts));
  if (view.is_signed && documents > 0) add("trust", "Trust", trust_section(facts, numbers));
  if (all.size() > 1) add("others", "Other queries", other_queries_section(all));
  add("read", "How to read", how_to_read(reading_lines(facts)));
  add("prov", "Provenance", provenance_section(view));
  return page(page_title(facts), masthead("attribute", anchors), main,
              "Made by Assay. This page asks no other host for anything.");
}

}  // namespace assay::report
