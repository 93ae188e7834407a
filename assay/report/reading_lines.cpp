// How to read the attribution page: unit, sign, what a part means, what else is printed, limits.
#include <algorithm>
#include <cmath>

#include "assay/report/attribution_sentences.h"
#include "assay/report/measure_words.h"
#include "assay/report/token_strip.h"
#include "assay/report/trust_sentences.h"

namespace assay::report {

std::vector<ReadingLine> reading_lines(const QueryFacts& facts) {
  const AttributionView& view = *facts.view;
  const Noun& noun = view.noun;
  std::vector<ReadingLine> lines;
  if (facts.has_nats()) {
    const MeasureWords words = measure_words(view.measure);
    Html unit = facts.is_removal() ? html(
                                         "A score is in nats: the predicted {} of the completion’s {} if this one {} "
                                         "were left out of training.",
                                         words.less, words.name, noun.one)
                                   : html(
                                         "A score is in nats: the predicted {} of the completion’s {} if the model "
                                         "were trained on this one {} once more.",
                                         words.more, words.name, noun.one);
    const auto logprob = view.measure == "margin" ? std::nullopt : facts.logprob_nats();
    if (logprob && *logprob > -9.2 && facts.support.largest > 0) {
      const double step = std::pow(10.0, std::floor(std::log10(facts.support.largest)));
      const PercentPair pair =
          percent_pair(std::exp(*logprob), std::min(1.0, std::exp(*logprob + (facts.is_removal() ? -step : step))));
      if (pair.differs) unit += html(" {} nats takes {} % to {} %.", significant(step, 1), pair.first, pair.second);
    }
    lines.push_back({"Unit.", unit});
  } else {
    lines.push_back({"Unit.", html("A score is {} as it comes. It ranks {}; it does not predict a change of the model.",
                                   view.method_title, noun.many)});
  }
  if (view.is_signed) {
    const bool is_margin = view.measure == "margin";
    lines.push_back(
        {"Sign.", html("<b class=\"pos\">Plus supports</b>: with the {} {} than without. <b class=\"neg\">Minus "
                       "opposes</b>: {}. Blue and orange mean this everywhere.{}",
                       noun.one, is_margin ? "the completion’s margin is larger" : "the completion is more likely",
                       is_margin ? "smaller" : "less likely",
                       view.measure == "loss" ? " The measurement is the loss: a supporter lowers it." : "")});
  } else if (view.is_closeness) {
    lines.push_back({"Sign.", html("This method has none: the higher a score, the nearer the {} is to the question. "
                                   "Zero is no boundary, and the last of the ranking are far, not against it.",
                                   noun.one)});
  } else {
    lines.push_back(
        {"Sign.",
         html("This method has none: it cannot tell a {} that supports the completion from one that speaks against it.",
              noun.one)});
  }
  if (facts.has_shading) {
    lines.push_back({"Words.", html("A word’s colour is the part of the score that flows through its position; a {}’s "
                                    "words add up to its score. It does not say that the word is the reason.",
                                    noun.one)});
  }
  std::string raw = facts.has_nats() && view.nats_per_raw
                        ? "The raw score, a sum over layers, is the number times " +
                              significant(1 / *view.nats_per_raw) + ": training documents times layers. "
                        : "";
  lines.push_back({facts.has_nats() ? "Raw and percentile." : "Percentile.",
                   html("{}Percentile 99.9 means that one {} in a thousand scores higher or equal.", raw, noun.one)});
  if (facts.has_nats()) {
    lines.push_back(
        {"Limits.", html("A first-order estimate at the final weights, layers taken one by one. Many alike {} can "
                         "replace each other: removing one of them then changes less than its score says.",
                         noun.many)});
  } else if (view.is_projected) {
    Html limits = html(
        "First-order, at the final weights, and of each matrix’s gradient a few directions alone: the "
        "order is rough, and scores compare {} with each other only.",
        noun.many);
    if (!view.is_closeness)
      limits += Html::markup(" <code>--rescore</code> gives the strongest the order and the unit of the exact method.");
    lines.push_back({"Limits.", limits});
  } else if (view.of_gradients) {
    lines.push_back({"Limits.", html("A first-order comparison of gradients at the final weights: it orders the {} and "
                                     "does not say how far training on one of them would move the model.",
                                     noun.many)});
  } else {
    lines.push_back({"Limits.", html("This is a baseline to compare with. That two texts are alike does not show that "
                                     "the model learned one from the other.")});
  }
  return lines;
}

}  // namespace assay::report
