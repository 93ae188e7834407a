#include "assay/report/evaluation_report.h"

#include <cmath>

#include "assay/core/twin.h"
#include "assay/report/evaluation_sentences.h"
#include "assay/report/loss_cards.h"
#include "assay/report/loss_histogram.h"
#include "assay/report/numbers.h"
#include "assay/report/page.h"

namespace assay::report {
namespace {

Html losses_section(const EvaluationFacts& facts, FigureNumbers& numbers) {
  const std::string all = "All " + count(std::ssize(facts.sorted)) + " losses";
  return section({.id = "all",
                  .name = facts.sorted.size() == 1 ? "The one loss" : all,
                  .finding = losses_finding(facts),
                  .notes = {losses_note(facts), left_out_note(facts)},
                  .stage = loss_histogram(numbers, facts)});
}

Html examples_section(const EvaluationFacts& facts) {
  return wide_section({.id = "examples",
                       .name = "The " + facts.view->noun.many,
                       .finding = examples_finding(facts),
                       .notes = {examples_note(facts)},
                       .stage = loss_cards(facts)});
}

/// What has no number has no rank either.
void drop_what_is_no_number(const EvaluationFacts& facts, std::vector<EvaluatedExample>& ranked) {
  std::erase_if(ranked, [&](const EvaluatedExample& example) {
    return !std::isfinite(facts.per_target[static_cast<std::size_t>(example.index)]) &&
           !ASSAY_TWIN("report.ranks_what_is_no_number");
  });
}

}  // namespace

std::string evaluation_report(const EvaluationView& given) {
  EvaluationView view = given;
  const EvaluationFacts facts = facts_of(view);
  drop_what_is_no_number(facts, view.worst);
  drop_what_is_no_number(facts, view.best);
  FigureNumbers numbers;
  std::vector<Anchor> anchors;
  Html main = headline(evaluation_headline(facts), evaluation_deck(facts), evaluation_facts_line(facts));
  const auto add = [&](const std::string& id, const std::string& text, const Html& content) {
    anchors.push_back({id, text});
    main += content;
  };
  if (!facts.sorted.empty()) add("all", "All losses", losses_section(facts, numbers));
  if (!view.worst.empty()) add("examples", "The " + view.noun.many, examples_section(facts));
  add("read", "How to read", how_to_read(evaluation_reading_lines(facts)));
  add("prov", "Provenance", provenance(view.provenance));
  return page("Assay: how well " + view.model.name + " predicts", masthead("evaluate", anchors), main,
              "Made by Assay. This page asks no other host for anything.");
}

}  // namespace assay::report
