#include "assay/report/evaluation_sentences.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/report/numbers.h"

namespace assay::report {
namespace {

const Noun kToken = {"token", "tokens"};

[[noreturn]] void refuse_evaluation(const std::string& rule, const std::string& found) {
  throw Error(ErrorKind::Internal, "writing the report: " + rule + ", but " + found +
                                       "; this is a mistake of the program, please report it");
}

void check_examples(const EvaluationView& view) {
  if (view.losses.size() != view.targets.size()) {
    refuse_evaluation("every loss must have its number of targets",
                      count(std::ssize(view.losses)) + " losses have " + count(std::ssize(view.targets)));
  }
  for (const auto* shown : {&view.worst, &view.best}) {
    for (const EvaluatedExample& example : *shown) {
      if (example.index >= 0 && example.index < std::ssize(view.losses)) continue;
      refuse_evaluation("every shown example must be one of the data",
                        "number " + count(example.index) + " of " + count(std::ssize(view.losses)) + " is shown");
    }
  }
}

/// "40 documents", "1 document".
std::string examples_of(const EvaluationView& view) {
  return counted_in_digits(std::ssize(view.losses), view.noun);
}

/// With one decimal, but never 100 % unless it is all.
std::string accuracy_in_percent(double share) {
  return share > 0.0005 && share < 0.9995 ? percent(share, 1) : percent(share);
}

std::string number_of(const Noun& noun, std::int64_t n) {
  return capitalised(counted(n, noun));
}

}  // namespace

double EvaluationFacts::quantile(double share) const {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<std::size_t>(place);
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (place - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

std::string EvaluationFacts::unit_a_target() const {
  return is_in_nats() ? "nats " + a_or_an(view->target.one) : view->unit;
}

std::string a_or_an(const std::string& noun) {
  return (noun.find_first_of("aeiou") == 0 ? "an " : "a ") + noun;
}

EvaluationFacts facts_of(const EvaluationView& view) {
  check_examples(view);
  EvaluationFacts facts;
  facts.view = &view;
  for (std::size_t i = 0; i < view.losses.size(); ++i) {
    const double targets = ASSAY_TWIN("report.loss_by_example") ? 1 : static_cast<double>(view.targets[i]);
    const bool is_counted = view.targets[i] > 0;
    const bool is_number = std::isfinite(view.losses[i]);
    if (!is_counted) ++facts.without_target;
    if (is_counted && !is_number) ++facts.not_finite;
    const double value = is_counted && is_number ? view.losses[i] / targets : std::numeric_limits<double>::quiet_NaN();
    facts.per_target.push_back(value);
    if (std::isfinite(value)) facts.sorted.push_back(value);
  }
  std::sort(facts.sorted.begin(), facts.sorted.end());
  return facts;
}

Html evaluation_headline(const EvaluationFacts& facts) {
  const EvaluationView& view = *facts.view;
  if (view.losses.empty()) return html("There was no {} to predict", view.noun.one);
  if (facts.not_finite > 0) {
    return html("The loss is not a number on {} of {}", count_in_words(facts.not_finite), examples_of(view));
  }
  if (facts.sorted.empty()) return html("No {} has a {} to predict", view.noun.one, view.target.one);
  const std::string value = significant(view.loss_per_target);
  if (view.accuracy) {
    return html("{} names the right class of {} of its {}", view.model.name, accuracy_in_percent(*view.accuracy),
                view.noun.many);
  }
  if (!facts.is_in_nats()) {
    return html("{} predicts its data with a {} of {} {}", view.model.name, view.unit, value, a_or_an(view.noun.one));
  }
  const bool has_perplexity = view.perplexity && std::isfinite(*view.perplexity);
  return html("{} predicts its data at {} {}{}", view.model.name, value, facts.unit_a_target(),
              has_perplexity ? " (perplexity " + significant(*view.perplexity) + ")" : "");
}

Html evaluation_deck(const EvaluationFacts& facts) {
  const EvaluationView& view = *facts.view;
  if (facts.not_finite > 0) {
    return html(
        "So it is not one over all of them either. Weights or activations that leave the range of {} do this; "
        "--dtype fp64 tells whether the range is the reason.",
        view.model.dtype);
  }
  if (facts.sorted.empty()) return html("The first {} of a text is never predicted.", view.target.one);
  Html deck;
  if (view.accuracy) {
    deck +=
        html("It gives the right class {} {} on average. ", significant(view.loss_per_target), facts.unit_a_target());
  }
  if (facts.sorted.size() > 3) {
    deck += html("Half of the {} lie between {} and {} {}; the hardest costs {}, the easiest {}.", examples_of(view),
                 significant(facts.quantile(0.25)), significant(facts.quantile(0.75)), facts.unit_a_target(),
                 significant(facts.sorted.back()), significant(facts.sorted.front()));
  } else if (facts.sorted.size() > 1) {
    deck += html("The harder end of {} costs {} {}, the easier {}.", examples_of(view),
                 significant(facts.sorted.back()), facts.unit_a_target(), significant(facts.sorted.front()));
  } else {
    const auto only = std::find_if(view.targets.begin(), view.targets.end(), [](std::int64_t n) { return n > 0; });
    deck += html("That is one {}: {} to predict.", view.noun.one, counted_in_digits(*only, view.target));
  }
  if (view.choices > 1 && facts.is_in_nats()) {
    const double guess = std::log(static_cast<double>(view.choices));
    const std::string what = counted_in_digits(view.choices, facts.is_text() ? kToken : Noun{"class", "classes"});
    deck += view.loss_per_target > guess
                ? html(" An even guess among {} would cost {}: this is worse than guessing.", what, significant(guess))
                : html(" An even guess among {} would cost {}.", what, significant(guess));
  }
  return deck;
}

std::vector<std::string> evaluation_facts_line(const EvaluationFacts& facts) {
  const EvaluationView& view = *facts.view;
  std::vector<std::string> line = {view.model.family + ", " + count(view.model.parameters) + " parameters",
                                   examples_of(view) + (view.data.empty() ? "" : " of " + view.data)};
  if (facts.is_text()) line.push_back(counted_in_digits(view.tokens, kToken));
  if (view.documents_cut > 0) line.push_back(count(view.documents_cut) + " cut at " + count(view.context) + " tokens");
  line.push_back(view.date);
  return line;
}

Html losses_finding(const EvaluationFacts& facts) {
  const EvaluationView& view = *facts.view;
  if (facts.sorted.size() < 2) return html("One loss: there is nothing to compare it with");
  const double ratio = facts.sorted.back() / view.loss_per_target;
  if (!std::isfinite(ratio) || view.loss_per_target <= 0) return html("Every {} has its loss", view.noun.one);
  if (facts.sorted.size() >= 10 && ratio < 1.15 && facts.sorted.front() > 0.85 * view.loss_per_target) {
    return html("All {} cost about the same", view.noun.many);
  }
  if (!facts.is_text()) return html("The hardest {} costs {} times the mean", view.noun.one, significant(ratio, 2));
  return html("The hardest {} costs {} times as much {} as all together", view.noun.one, significant(ratio, 2),
              a_or_an(view.target.one));
}

Html losses_note(const EvaluationFacts& facts) {
  const EvaluationView& view = *facts.view;
  return html("Bars count {} by their loss {}. The line is the loss of all {} together, which weighs each alike.{}",
              view.noun.many, a_or_an(view.target.one), view.target.many,
              view.worst.empty() ? "" : " The dots are those shown below.");
}

Html left_out_note(const EvaluationFacts& facts) {
  const EvaluationView& view = *facts.view;
  Html note;
  if (facts.without_target > 0) {
    note += html("{} without a {} to predict {} left out.", number_of(view.noun, facts.without_target), view.target.one,
                 facts.without_target == 1 ? "is" : "are");
  }
  if (facts.not_finite > 0) {
    note += html("{}{} whose loss is not a number {} left out.", note.empty() ? "" : " ",
                 number_of(view.noun, facts.not_finite), facts.not_finite == 1 ? "is" : "are");
  }
  return note;
}

Html examples_finding(const EvaluationFacts& facts) {
  const EvaluationView& view = *facts.view;
  const std::string name = capitalised(view.noun.one);
  if (view.best.empty()) return html("{} {}", name, count(view.worst.front().index));
  return html("{} {} is the hardest{}, {} {} the easiest", name, count(view.worst.front().index),
              facts.not_finite > 0 ? " of those with a number" : "", view.noun.one, count(view.best.front().index));
}

Html examples_note(const EvaluationFacts& facts) {
  const EvaluationView& view = *facts.view;
  const std::string many = capitalised(view.noun.many);
  if (!facts.is_text()) return html("{} are counted from 0, in the order of the data.", many);
  return html(
      "By loss {}, so that length alone decides nothing. {} are counted from 0, in the order of the data. Of each "
      "text its beginning is shown.",
      a_or_an(view.target.one), many);
}

std::vector<ReadingLine> evaluation_reading_lines(const EvaluationFacts& facts) {
  const EvaluationView& view = *facts.view;
  const Noun& target = view.target;
  std::vector<ReadingLine> lines;
  if (facts.is_in_nats()) {
    Html unit = html(
        "A loss is the negative logarithm of the probability that the right {} was given, in nats: 0 is "
        "certainty, and lower is better.",
        facts.is_text() ? "token" : "class");
    if (std::isfinite(view.loss_per_target)) {
      unit += html(" At {} the right one got {} on (geometric) average.", significant(view.loss_per_target),
                   percent(std::exp(-view.loss_per_target)));
    }
    lines.push_back({"Unit.", unit});
  } else {
    lines.push_back({"Unit.", html("A loss is half the squared distance between what is predicted and what stands in "
                                   "the data; lower is better.")});
  }
  if (view.perplexity && std::isfinite(*view.perplexity)) {
    lines.push_back({"Perplexity.",
                     html("e to the power of the loss {}: the model is as unsure as an even choice among "
                          "{} {}.",
                          a_or_an(target.one), significant(*view.perplexity), facts.is_text() ? "tokens" : "classes")});
  }
  if (facts.is_text()) {
    lines.push_back({"Mean.", html("The main figure divides the loss of all {} by their number: every {} weighs alike, "
                                   "and a long {} counts for more than a short one.",
                                   target.many, target.one, view.noun.one)});
    lines.push_back(
        {"What counts.", html("Every token but the first, which has nothing before it{}.",
                              view.documents_cut > 0 ? ". What lies beyond the context was not read" : "")});
    lines.push_back({"Limits.", html("Losses a token compare models of the same tokenizer only. Texts that a model was "
                                     "trained on are predicted better than new ones, and this page cannot tell which "
                                     "these are.")});
  } else {
    lines.push_back({"Mean.", html("The main figure is the mean over all {}, each weighing alike.", view.noun.many)});
    lines.push_back({"Limits.", html("What a model was trained on is predicted better than what is new to it, and this "
                                     "page cannot tell which these {} are.",
                                     view.noun.many)});
  }
  return lines;
}

}  // namespace assay::report
