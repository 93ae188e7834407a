#include "assay/report/trust_sentences.h"

#include <algorithm>

#include "assay/core/twin.h"
#include "assay/report/measure_words.h"
#include "assay/report/numbers.h"

namespace assay::report {
namespace {

int raised(const TrustCheck& check) {
  return static_cast<int>(
      std::count_if(check.top.begin(), check.top.end(), [](const auto& d) { return d.measured_nats > 0; }));
}

}  // namespace

Verdict verdict_of(const TrustCheck& check) {
  const double t = ASSAY_TWIN("report.verdict_ignores_the_check") ? 10 : finite(check.t, "the t of the trust check");
  if (t < 2) return Verdict::DoNotBelieve;
  if (t < 5) return Verdict::Hint;
  const bool has_size = check.is_retraining && check.ratio && check.ratio->low >= 0.5 && check.ratio->high <= 2;
  return has_size ? Verdict::Believe : Verdict::DirectionHolds;
}

std::string cases(const TrustCheck& check) {
  const auto n = std::ssize(check.top);
  if (n == 1) return raised(check) == 1 ? "in the one case tried" : "not even in the one case tried";
  return raised(check) == n ? "in all " + count_in_words(n) + " cases"
                            : "in " + count_in_words(raised(check)) + " of " + count_in_words(n) + " cases";
}

std::string against_random(const TrustCheck& check, const Noun& noun) {
  const double times = check.top_mean.mean / check.random_mean.mean;
  if (check.random_mean.mean > 0 && times >= 1.5 && times < 1000) {
    return significant(times, 2) + " times as far as a random " + noun.one + " does";
  }
  return "by " + signed_significant(check.top_mean.mean) + " nats on average, and a random " + noun.one + " by " +
         signed_significant(check.random_mean.mean);
}

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
  const bool has_predictions = std::any_of(check.top.begin(), check.top.end(),
                                           [](const TrustDocument& document) { return document.predicted_nats; });
  if (check.is_retraining) {
    out += Html::text("Rings: what the scores predict. Dots: what happened. ");
  } else if (has_predictions) {
    out += Html::text("Rings: what the gradient promises for the step, to first order. Dots: what happened. ");
  }
  if (check.unreached > 0) {
    out += html(
        "For {} the loss could not fall so far (a text known by heart has none left); the farthest step found "
        "was taken. ",
        counted(check.unreached, noun));
  }
  return out + html("Lines through the means: 95 % bootstrap interval over {}.", noun.many);
}

std::string trust_title(const TrustCheck& check) {
  return check.is_retraining ? "Predicted and measured effect of leaving documents out"
                             : "Measured effect of one training step";
}

std::string trust_description(const TrustCheck& check, const Noun& noun, int decimals) {
  const auto mean = [&](const Interval& value) {
    return signed_fixed(value.mean, decimals) + " " + interval(value, decimals) + " nats";
  };
  return "The " + counted(std::ssize(check.top), noun) + " that the scores put first: mean " + mean(check.top_mean) +
         ". " + capitalised(count_in_words(std::ssize(check.random))) + " random: mean " + mean(check.random_mean) +
         ". t = " + fixed(check.t, 1) + ".";
}

std::string change_axis_title(const TrustCheck& check) {
  const MeasureWords words = measure_words(check.measure);
  const std::string of = " of the " + std::string(words.name);
  return check.is_retraining ? words.less + of + " without the document, nats"
                             : words.more + of + " after one step, nats";
}

std::string verdict_sentence(const TrustCheck& check, const Noun& noun) {
  const std::string t = " (t = " + fixed(check.t, 1) + ")";
  const std::string effect =
      "the strongest " + noun.many + " move the completion " + against_random(check, noun) + t + ". ";
  std::string size;
  if (check.is_retraining && check.ratio) {
    size = "Measured over predicted is " + fixed(check.ratio->mean, 2) + " " + interval(*check.ratio, 2) + ".";
  }
  const std::string untested =
      check.is_retraining ? size
                          : "A small step tests the gradient, not the removal: what the model would be without a " +
                                noun.one + " was not tested.";
  switch (verdict_of(check)) {
    case Verdict::Believe: return "Believe the ranking: " + effect + untested;
    case Verdict::DirectionHolds: return "The direction holds: " + effect + untested;
    case Verdict::Hint: return "A hint, no more: " + effect + untested;
    case Verdict::DoNotBelieve:
      return "Do not believe these scores: in training, the strongest " + noun.many +
             " cannot be told from random ones" + t + ". " + untested;
  }
  return "";
}

}  // namespace assay::report
