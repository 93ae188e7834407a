#include "assay/report/training_report.h"

#include "assay/report/loss_curve.h"
#include "assay/report/page.h"
#include "assay/report/training_sentences.h"

namespace assay::report {
namespace {

Html curve_section(const TrainingFacts& facts, FigureNumbers& numbers) {
  return section({.id = "curve",
                  .name = "The loss",
                  .finding = curve_finding(facts),
                  .notes = curve_notes(facts),
                  .stage = loss_curve(numbers, facts)});
}

Html run_section(const TrainingFacts& facts) {
  Html rows;
  for (const ProvenanceRow& row : training_rows(facts)) {
    const Html code = row.code.empty() ? Html() : html("<code>{}</code> ", row.code);
    rows += html("<tr><th scope=\"row\">{}</th><td>{}{}</td></tr>\n", row.name, code, row.text);
  }
  return section({.id = "run",
                  .name = "The run",
                  .finding = html("What {} asked for", facts.view->recipe),
                  .notes = {},
                  .stage = html("<table class=\"prov\" style=\"margin-top:0\"><tbody>\n{}</tbody></table>\n", rows)});
}

}  // namespace

std::string training_report(const TrainingView& view) {
  const TrainingFacts facts = facts_of(view);
  FigureNumbers numbers;
  std::vector<Anchor> anchors;
  Html main = headline(Html::text(training_headline(facts)), training_deck(facts), training_facts_line(view));
  const auto add = [&](const std::string& id, const std::string& text, const Html& content) {
    anchors.push_back({id, text});
    main += content;
  };
  if (view.log.size() > 1) add("curve", "The loss", curve_section(facts, numbers));
  add("run", "The run", run_section(facts));
  add("read", "How to read", how_to_read(training_reading_lines(facts)));
  add("prov", "Provenance", provenance(view.provenance));
  return page("Assay: training by " + view.recipe, masthead("train", anchors), main,
              "Made by Assay. This page asks no other host for anything.");
}

}  // namespace assay::report
