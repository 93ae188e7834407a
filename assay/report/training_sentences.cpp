#include "assay/report/training_sentences.h"

#include <algorithm>
#include <cmath>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/report/numbers.h"

namespace assay::report {
namespace {

constexpr std::size_t kReaches = 40;  // in a log
constexpr double kRise = 1.02;        // of the lowest mean: less is noise
constexpr std::size_t kMostNamedSteps = 8;

std::string steps_of(std::int64_t n) {
  return counted(n, {"step", "steps"});
}

/// "14", "2.5".
std::string epochs_in_digits(double epochs) {
  return std::abs(epochs - std::round(epochs)) < 1e-6 ? fixed(std::round(epochs), 0)
                                                      : fixed(epochs, epochs < 10 ? 2 : 1);
}

/// "once", "14 times", "0.25 times".
std::string times_in_words(double epochs) {
  return std::abs(epochs - 1) < 1e-6 ? "once" : epochs_in_digits(epochs) + " times";
}

/// "after step 70, 140, 210 and 6 more up to 630".
std::string checkpoint_steps(const std::vector<std::int64_t>& steps) {
  std::string out = "after step ";
  const std::size_t named = steps.size() <= kMostNamedSteps ? steps.size() : 3;
  for (std::size_t i = 0; i < named; ++i) out += (i == 0 ? "" : ", ") + count(steps[i]);
  if (named < steps.size())
    out += " and " + count(static_cast<std::int64_t>(steps.size() - named)) + " more, the last after " +
           count(steps.back());
  return out;
}

}  // namespace

std::size_t TrainingFacts::lowest() const {
  return static_cast<std::size_t>(std::min_element(mean.begin(), mean.end()) - mean.begin());
}

bool TrainingFacts::rises_again() const {
  const double low = mean[lowest()];
  return lowest() + 2 * reach + 1 < mean.size() && last() > kRise * low && low > 0;
}

TrainingFacts facts_of(const TrainingView& view) {
  TrainingFacts facts;
  facts.view = &view;
  const std::vector<TrainingStep>& log = view.log;
  facts.reach = log.size() / kReaches;
  std::vector<double> sums = {0};  // of the losses before each step
  for (std::size_t i = 0; i < log.size(); ++i) {
    if (i > 0 && log[i].step <= log[i - 1].step) {
      throw Error(ErrorKind::Internal, "writing the report: the steps of a log must rise, but " +
                                           std::to_string(log[i].step) + " follows " + std::to_string(log[i - 1].step) +
                                           "; this is a mistake of the program, please report it");
    }
    finite(log[i].rate, "a learning rate");
    sums.push_back(sums.back() + finite(log[i].loss, "the loss of a step"));
  }
  for (std::size_t i = 0; i < log.size(); ++i) {
    const std::size_t reach = std::min(facts.reach, i);  // the curve begins where training did
    const std::size_t end = std::min(i + reach + 1, log.size());
    facts.mean.push_back((sums[end] - sums[i - reach]) / static_cast<double>(end - (i - reach)));
  }
  return facts;
}

std::string training_headline(const TrainingFacts& facts) {
  const TrainingView& view = *facts.view;
  if (view.log.empty()) return "No step of this training was logged";
  const std::int64_t steps = view.log.back().step + 1;
  if (view.log.size() == 1) return "One step, from a loss of " + significant(facts.first()) + " " + view.unit;
  const bool falls = ASSAY_TWIN("report.training_always_falls") || facts.last() < facts.first();
  const std::string from = significant(facts.first());
  const std::string to = significant(facts.last()) + " " + view.unit;
  return falls ? "In " + steps_of(steps) + " the loss fell from " + from + " to " + to
               : capitalised(steps_of(steps)) + " did not lower the loss: " + from + " before them, " + to +
                     " at the end";
}

Html training_deck(const TrainingFacts& facts) {
  const TrainingView& view = *facts.view;
  if (view.log.empty()) return html("The model is there all the same; its curve is not.");
  Html deck =
      html("{} went {} through {} {} of {}, {} a step.", view.model.name, times_in_words(facts.epochs()),
           count(view.examples), view.examples == 1 ? view.noun.one : view.noun.many, view.data, count(view.batch));
  if (view.log.size() > 1 && view.unit == "nats a token" && std::max(facts.first(), facts.last()) < 60) {
    deck += html(" A perplexity of {} became one of {}.", significant(std::exp(facts.first())),
                 significant(std::exp(facts.last())));
  }
  if (facts.rises_again()) {
    deck += html(" It was lowest near step {}, at {}, and rose again from there.",
                 count(view.log[facts.lowest()].step + 1), significant(facts.mean[facts.lowest()]));
  }
  return deck;
}

std::vector<std::string> training_facts_line(const TrainingView& view) {
  std::vector<std::string> line = {view.recipe, view.model.family + ", " + count(view.model.parameters) + " parameters",
                                   counted_in_digits(view.tokens, {"token", "tokens"})};
  if (view.documents_cut > 0) line.push_back(count(view.documents_cut) + " cut at " + count(view.context) + " tokens");
  if (view.tokens_per_second > 0) line.push_back(significant(view.tokens_per_second) + " tokens a second");
  line.push_back(view.date);
  return line;
}

Html curve_finding(const TrainingFacts& facts) {
  const std::size_t steps = facts.mean.size();
  if (steps == 1) return html("One step makes no curve");
  const double fall = facts.first() - facts.last();
  if (fall <= 0) return html("It ended where it began, or above");
  // Where half of the fall was done: how front-loaded training was.
  std::size_t half = 0;
  while (half + 1 < steps && facts.mean[half] > facts.first() - fall / 2) ++half;
  const auto step = static_cast<std::int64_t>(half) + 1;
  return html("Half of the fall was done after {} of {}", count(step),
              counted_in_digits(static_cast<std::int64_t>(steps), {"step", "steps"}));
}

std::vector<Html> curve_notes(const TrainingFacts& facts) {
  std::vector<Html> notes = {html("The loss of each step’s batch, before the step.")};
  if (facts.reach > 0) {
    notes = {
        html("Pale: the loss of each step’s batch, before the step. Strong: the mean of the {} steps around it, at "
             "the end of the last {}.",
             2 * facts.reach + 1, facts.reach + 1)};
  }
  notes.push_back(html("Below it, on the same steps, the learning rate."));
  if (facts.view->resumed_from > 0) {
    notes.push_back(html("The run was stopped once and went on after step {}, with the bits it would have had.",
                         count(facts.view->resumed_from)));
  }
  return notes;
}

std::vector<ProvenanceRow> training_rows(const TrainingFacts& facts) {
  const TrainingView& view = *facts.view;
  std::string data =
      counted_in_digits(view.examples, view.noun) + ", " + counted_in_digits(view.tokens, {"token", "tokens"});
  if (view.left_out > 0) data += ", " + count(view.left_out) + " left out";
  const Noun step = {"step", "steps"};
  std::string length = counted_in_digits(view.log.empty() ? 0 : view.log.back().step + 1, step);
  if (view.steps_per_epoch > 0 && !view.log.empty()) {
    const std::string epochs = epochs_in_digits(facts.epochs());
    length +=
        ", " + epochs + (epochs == "1" ? " epoch of " : " epochs of ") + counted_in_digits(view.steps_per_epoch, step);
  }
  std::vector<ProvenanceRow> rows = {
      {"Started from", "", view.start},
      {"Data", view.data, data},
      {"Optimizer", "", view.optimizer},
      {"Learning rate", "", view.schedule},
      {"Length", "", length + ", " + counted_in_digits(view.batch, view.noun) + " a step"}};
  if (view.tokens_per_second > 0) {
    rows.push_back({"Speed", "",
                    significant(view.tokens_per_second) + " tokens a second, " + significant(view.seconds) +
                        " s for all steps of this run"});
  }
  rows.push_back({"Checkpoints", view.checkpoints.empty() ? "" : "checkpoints/",
                  view.checkpoints.empty() ? "none on the way" : checkpoint_steps(view.checkpoints)});
  return rows;
}

std::vector<ReadingLine> training_reading_lines(const TrainingFacts& facts) {
  const TrainingView& view = *facts.view;
  const std::string weighs = view.unit == "nats a token"
                                 ? "summed over a batch and divided by its predicted tokens"
                                 : "summed over each " + view.noun.one + " and divided by their number in the batch";
  return {{"Unit.", html("The loss is the negative logarithm of the probability that the right token was given, in "
                         "nats, {}. Lower is better.",
                         weighs)},
          {"When.", html("A step’s loss is measured before the step, on the batch that it is about to learn from. In "
                         "the first epoch every batch is new to the model, afterwards none is.")},
          {"Noise.", html("Batches differ in how hard they are; the strong line evens that out. The last number of the "
                          "headline is its end.")},
          {"Limits.", html("The loss on texts that were trained on is no measure of what the model does with others. "
                           "For that, run assay evaluate on texts that it has not seen.")},
          {"More.", html("log.jsonl holds every step with its gradient’s norm; every checkpoint is a model folder of "
                         "its own.")}};
}

}  // namespace assay::report
