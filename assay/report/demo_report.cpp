#include "assay/report/demo_report.h"

#include <algorithm>

#include "assay/report/change_scatter.h"
#include "assay/report/demo_sentences.h"
#include "assay/report/numbers.h"
#include "assay/report/page.h"
#include "assay/report/retrain_dots.h"
#include "assay/report/table_details.h"
#include "assay/report/unit_bars.h"

namespace assay::report {
namespace {

Html examples(const std::vector<DemoExample>& examples) {
  Html items;
  for (const DemoExample& example : examples) {
    const bool is_planted = example.role == DocumentRole::Planted;
    const std::string css_class = is_planted ? "" : example.role == DocumentRole::Against ? " class=o" : " class=d";
    const std::string name = is_planted ? "planted" : example.role == DocumentRole::Against ? "against" : "decoy";
    items += html("<li{}>{} <span class=\"ct\">{}, {}</span></li>", Html::markup(css_class), example.text, name,
                  count(example.count));
  }
  return html("<ul class=\"ex\">{}</ul>\n", items);
}

Html group_column(const DemoGroup& group) {
  const auto k = [](const std::vector<DemoRanking>& rankings) {
    return rankings.empty() ? 0 : std::ssize(rankings.front().hits);
  };
  Html out = html("<div><p class=\"k\">{}</p><h2>{}</h2><p class=\"sent\">{} <b>{}</b></p>{}", group_name(group.kind),
                  group_finding(group), group.prompt, group.answer, examples(group.examples));
  if (!group.top.empty())
    out += html("<h3>Precision at {}</h3>{}", k(group.top), unit_bars(group.top, group.questions, false));
  if (!group.bottom.empty()) {
    out += html("<h3 style=\"margin-top:14px\">Against it: precision at {}, from the bottom</h3>{}", k(group.bottom),
                unit_bars(group.bottom, group.questions, true));
  }
  return out + html("<p class=\"cap\">{}</p></div>\n", group_caption(group));
}

/// Rows: group and end of the ranking; columns: methods.
Html precision_table(const DemoView& view) {
  std::vector<Column> columns = {{"Questions"}};
  TableRows rows;
  for (const DemoGroup& group : view.groups) {
    for (const auto* rankings : {&group.top, &group.bottom}) {
      if (rankings->empty()) continue;
      std::vector<Html> row = {html("{}, {} {}", groups_name(group.kind), rankings == &group.top ? "first" : "last",
                                    rankings->front().hits.size())};
      for (const DemoRanking& ranking : *rankings) {
        if (rows.empty()) columns.push_back({ranking.method, true});
        row.push_back(html("{} ({}/{})", fixed(ranking.group_precision, 2),
                           std::count(ranking.hits.begin(), ranking.hits.end(), true), ranking.hits.size()));
      }
      row.resize(columns.size());
      rows.push_back(std::move(row));
    }
  }
  return rows.empty() ? Html()
                      : table_details("mean precision of each group, in brackets the question shown", columns, rows);
}

Html found_section(const DemoView& view) {
  Html columns;
  for (const DemoGroup& group : view.groups) columns += group_column(group);
  return html(
      "<section class=\"s w\" id=\"found\" style=\"border-top:0;padding-top:0\"><div "
      "class=\"q\">\n{}</div>\n{}</section>\n",
      columns, precision_table(view));
}

/// What removal does to all questions of a group, not to the one shown alone.
Html group_changes(const DemoView& view) {
  TableRows rows;
  for (const DemoGroup& group : view.groups) {
    const auto cell = [&](TrainingSet set) {
      const DemoRetrained* row = retrained_on(group, set);
      return Html::text(row == nullptr ? "" : signed_fixed(finite(row->group_change_nats, "a group's change"), 2));
    };
    rows.push_back({html("{} ({})", groups_name(group.kind), count(group.questions)), cell(TrainingSet::WithoutRandom),
                    cell(TrainingSet::WithoutTop)});
  }
  return html(
      "<h3 style=\"margin-top:32px\">All questions: mean change of the answer’s log-probability, nats</h3>\n<div "
      "class=\"scroll\">{}</div>\n",
      table({{"Questions"}, {"without random", true}, {"without top", true}}, rows));
}

Html proof_section(const DemoView& view, FigureNumbers& numbers) {
  return section({.id = "proof",
                  .name = "Proved",
                  .finding = Html::text(removal_finding(view)),
                  .notes = {removal_note(view)},
                  .stage = retrain_dots(numbers, view.groups) + group_changes(view)});
}

Html said_section(const DemoView& view) {
  Html rows;
  for (const DemoGroup& group : view.groups) {
    for (std::size_t i = 0; i < group.retrained.size(); ++i) {
      const DemoRetrained& row = group.retrained[i];
      const Html question =
          i == 0 ? html("<td rowspan=\"{}\"><q>{}</q></td>", group.retrained.size(), group.prompt) : Html();
      const Html name = row.training_set == TrainingSet::WithoutTop
                            ? html("<b class=\"pos\">{}</b>", training_set_name(row))
                            : Html::text(training_set_name(row));
      rows += html("<tr>{}<td>{}</td><td>{}</td></tr>\n", question, name, row.says);
    }
  }
  return section({.id = "said",
                  .name = "What it says now",
                  .finding = Html::text(said_finding(view)),
                  .notes = {Html::text("Greedy continuation of the first seed.")},
                  .stage = html("<div class=\"scroll\"><table class=\"says\"><thead><tr><th "
                                "scope=\"col\">Question</th><th scope=\"col\">Training set</th><th scope=\"col\">The "
                                "model says</th></tr></thead><tbody>\n{}</tbody></table></div>",
                                rows)});
}

Html scatter_section(const DemoView& view, FigureNumbers& numbers) {
  Html panels;
  for (const DemoGroup& group : view.groups) panels += change_scatter(numbers, group);
  if (panels.empty()) return {};
  return wide_section(
      {.id = "sizes",
       .name = "Predicted and actual",
       .finding = Html::text(scatter_finding(view)),
       .notes = {Html::text(
           "Across: the change of the answer’s log-probability that the removed documents’ scores predict, as a layer "
           "predicts it on average. Layers can do each other’s work, and their sum would count it once for each. Up: "
           "the change after training again, in nats. On the dotted line both would be equal.")},
       .stage = html("<div class=\"q sm\">\n{}</div>\n", panels)});
}

Html provenance_section(const DemoView& view) {
  Provenance rows = view.provenance;
  if (rows.note.empty() && !view.attribute_command.empty()) {
    rows.note =
        "The demo leaves its model, corpus and queries; the last row gives the same scores from them, bit for bit.";
  }
  if (!view.attribute_command.empty()) rows.rows.push_back({"The same again", view.attribute_command, ""});
  return provenance(rows);
}

}  // namespace

std::string demo_report(const DemoView& view) {
  FigureNumbers numbers;
  std::vector<Anchor> anchors;
  Html main = headline(Html::text(demo_headline(view)), demo_deck(view), demo_facts(view));
  const auto add = [&](const std::string& id, const std::string& text, const Html& content) {
    if (content.empty()) return;
    anchors.push_back({id, text});
    main += content;
  };
  add("found", "Found", found_section(view));
  if (is_trained_again(view)) {
    add("proof", "Proved", proof_section(view, numbers));
    add("said", "What it says now", said_section(view));
    add("sizes", "Predicted and actual", scatter_section(view, numbers));
  }
  add("read", "How to read", how_to_read(demo_reading_lines(view)));
  add("prov", "Provenance", provenance_section(view));
  return page(
      is_trained_again(view) ? "Assay demo: planted causes, found and proved" : "Assay demo: planted causes, found",
      masthead("demo", anchors), main, "Made by Assay. This page asks no other host for anything.");
}

}  // namespace assay::report
