// The sentences of the trust check, and the rule behind them. For editors: the words stand together in the .cpp.
#pragma once

#include <string>

#include "assay/report/attribution_report.h"
#include "assay/report/html.h"

namespace assay::report {

enum class Verdict { Believe, DirectionHolds, Hint, DoNotBelieve };

/// t ≥ 5: the direction holds, and with retraining, where the interval of the ratio lies inside 0.5 to 2, the ranking
/// is to be believed; 2 ≤ t < 5: a hint; below: do not believe these scores.
Verdict verdict_of(const TrustCheck& check);

/// "in nine of ten cases".
std::string cases(const TrustCheck& check);
/// "21 times as far as a random document does", or both means where their ratio would mislead.
std::string against_random(const TrustCheck& check, const Noun& noun);

std::string trust_finding(const TrustCheck& check);
Html trust_note(const TrustCheck& check, const Noun& noun);
std::string trust_title(const TrustCheck& check);
std::string trust_description(const TrustCheck& check, const Noun& noun, int decimals);
std::string change_axis_title(const TrustCheck& check);
std::string verdict_sentence(const TrustCheck& check, const Noun& noun);

}  // namespace assay::report
