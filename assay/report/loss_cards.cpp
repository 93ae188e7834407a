#include "assay/report/loss_cards.h"

#include <algorithm>
#include <cmath>

#include "assay/report/numbers.h"
#include "assay/report/table_details.h"

namespace assay::report {
namespace {

constexpr int kLargeLossCards = 3;
constexpr std::size_t kCompactText = 140;  // characters
constexpr double kBarZero = 1.2;           // percent of the width
constexpr double kBarRoom = 97.6;

/// "661 nats over 212 tokens".
std::string sum_of(const EvaluationFacts& facts, std::size_t index) {
  const EvaluationView& view = *facts.view;
  const std::int64_t targets = view.targets[index];
  const std::string over = count(targets) + " " + (targets == 1 ? view.target.one : view.target.many);
  if (!std::isfinite(view.losses[index])) return "over " + over;
  return significant(view.losses[index]) + " " + view.unit + " over " + over;
}

std::string value_of(const EvaluationFacts& facts, std::size_t index, int decimals) {
  const double value = facts.per_target[index];
  return std::isfinite(value) ? fixed(value, decimals) : "not a number";
}

Html loss_bar(const EvaluationFacts& facts, std::size_t index) {
  const double value = facts.per_target[index];
  const double largest = facts.sorted.empty() ? 0 : facts.sorted.back();
  const double width = std::isfinite(value) && largest > 0 ? kBarRoom * std::max(0.0, value) / largest : 0;
  return html("<div class=\"bar\" aria-hidden=\"true\"><i class=\"s5\" style=\"left:{}%;width:{}%\"></i></div>",
              fixed(kBarZero, 1), fixed(width, 1));
}

Html loss_card(const EvaluationFacts& facts, const EvaluatedExample& example, int rank, int decimals) {
  const auto index = static_cast<std::size_t>(example.index);
  const Html id = example.id.empty() ? Html() : html("id <code>{}</code>", example.id);
  const Html origin = html("{}{}{}", example.source, example.source.empty() || id.empty() ? "" : " · ", id);
  const bool is_large = rank <= kLargeLossCards;
  const std::string beginning = is_large ? example.text : shortened(example.text, kCompactText);
  const Html text = example.text.empty() ? Html::markup("(empty)") : Html::text(beginning);
  return html(
      "<article class=\"c{}\" data-d=\"{}\">\n<div><p class=\"rk\">{}</p><p class=\"v\">{} <small>{}</small></p>{}"
      "<p class=\"dl\">{}</p></div>\n<div><p class=\"x\">{}</p>\n<p class=\"cap\">{} {}{}{}</p></div>\n</article>\n",
      is_large ? "" : " m", example.index, rank, value_of(facts, index, decimals), facts.unit_a_target(),
      loss_bar(facts, index), sum_of(facts, index), text, capitalised(facts.view->noun.one), example.index,
      origin.empty() ? "" : " · ", origin);
}

Html example_table(const EvaluationFacts& facts, const std::vector<EvaluatedExample>& examples) {
  const std::string unit = facts.unit_a_target();
  std::vector<Column> columns = {{"Rank", true}, {capitalised(facts.view->noun.one), true}, {"Loss, " + unit, true}};
  const bool has_ids = !examples.front().id.empty();
  if (has_ids) columns.push_back({"Id"});
  TableRows rows;
  for (const EvaluatedExample& example : examples) {
    const double value = facts.per_target[static_cast<std::size_t>(example.index)];
    std::vector<Html> row = {html("{}", rows.size() + 1), Html::text(count(example.index)),
                             Html::text(std::isfinite(value) ? significant(value) : "not a number")};
    if (has_ids) row.push_back(html("<code>{}</code>", example.id));
    rows.push_back(std::move(row));
  }
  return html("<div class=\"scroll\">{}</div>\n", table(columns, rows));
}

std::string heading_of(const EvaluationFacts& facts, std::size_t shown, const std::string& end) {
  const EvaluationView& view = *facts.view;
  if (view.losses.size() == 1) return "The one " + view.noun.one;
  return shown == 1 ? "The " + end + " " + view.noun.one
                    : "The " + count_in_words(static_cast<std::int64_t>(shown)) + " " + end;
}

}  // namespace

Html loss_cards(const EvaluationFacts& facts) {
  const EvaluationView& view = *facts.view;
  const int decimals = facts.sorted.empty() ? 2 : std::min(6, decimals_for(facts.sorted.back()));
  Html out;
  for (const auto* examples : {&view.worst, &view.best}) {
    if (examples->empty()) continue;
    out += html("<h3 class=\"big\">{}</h3>\n",
                heading_of(facts, examples->size(), examples == &view.worst ? "hardest" : "easiest"));
    if (!facts.is_text()) {
      out += example_table(facts, *examples);
      continue;
    }
    int rank = 0;
    for (const EvaluatedExample& example : *examples) out += loss_card(facts, example, ++rank, decimals);
  }
  return out.empty() ? out : html("<div style=\"--z:{}%\">\n{}</div>\n", fixed(kBarZero, 1), out);
}

}  // namespace assay::report
