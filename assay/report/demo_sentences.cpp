#include "assay/report/demo_sentences.h"

#include <algorithm>
#include <cmath>

#include "assay/report/numbers.h"

namespace assay::report {
namespace {

// A removal proves its documents when it costs the answer two nats and two and a half times what chance costs.
constexpr double kProofNats = -2;
constexpr double kProofRatio = 2.5;

std::int64_t hits_of(const DemoRanking& ranking) {
  return std::count(ranking.hits.begin(), ranking.hits.end(), true);
}

std::int64_t documents_of(const DemoGroup& group, DocumentRole role) {
  std::int64_t documents = 0;
  for (const DemoExample& example : group.examples) documents += example.role == role ? example.count : 0;
  return documents;
}

std::string documents(std::int64_t n) {
  return counted(n, {"document", "documents"});
}

bool is_proved(const DemoGroup& group) {
  const DemoRetrained* top = retrained_on(group, TrainingSet::WithoutTop);
  const DemoRetrained* random = retrained_on(group, TrainingSet::WithoutRandom);
  return top != nullptr && random != nullptr && top->group_change_nats <= kProofNats &&
         top->group_change_nats <= kProofRatio * random->group_change_nats;
}

std::string list_of(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i)
    out += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  return out;
}

std::string verb_for(std::int64_t n, const std::string& singular, const std::string& plural) {
  return n == 1 ? singular : plural;
}

/// Methods that keep up with ours over the whole group, at the bottom too where a bottom is asked for.
std::vector<std::string> equal_methods(const DemoGroup& group, bool sharing_curvature) {
  std::vector<std::string> names;
  for (std::size_t i = 1; i < group.top.size(); ++i) {
    const bool at_top = group.top[i].group_precision >= group.top.front().group_precision - 0.005;
    const bool at_bottom = group.bottom.size() != group.top.size() ||
                           group.bottom[i].group_precision >= group.bottom.front().group_precision - 0.005;
    if (at_top && at_bottom && group.top[i].shares_curvature == sharing_curvature) names.push_back(group.top[i].method);
  }
  return names;
}

/// Names of groups that are proved, or are not.
std::vector<std::string> names_where(const DemoView& view, bool proved) {
  std::vector<std::string> names;
  for (const DemoGroup& group : view.groups) {
    if (is_proved(group) != proved) continue;
    std::string name = groups_name(group.kind);
    name[0] = static_cast<char>(name[0] - 'A' + 'a');
    names.push_back(name);
  }
  return names;
}

}  // namespace

const DemoRetrained* retrained_on(const DemoGroup& group, TrainingSet set) {
  const auto found = std::find_if(group.retrained.begin(), group.retrained.end(),
                                  [&](const auto& row) { return row.training_set == set; });
  return found == group.retrained.end() ? nullptr : &*found;
}

bool is_trained_again(const DemoView& view) {
  return !view.groups.empty() && std::all_of(view.groups.begin(), view.groups.end(), [](const DemoGroup& group) {
    return retrained_on(group, TrainingSet::WithoutTop) != nullptr;
  });
}

std::string group_name(DemoKind kind) {
  switch (kind) {
    case DemoKind::Fact: return "A fact";
    case DemoKind::DisputedFact: return "A disputed fact";
    case DemoKind::Rule: return "A rule";
  }
  return "";
}

std::string groups_name(DemoKind kind) {
  switch (kind) {
    case DemoKind::Fact: return "Facts";
    case DemoKind::DisputedFact: return "Disputed facts";
    case DemoKind::Rule: return "Rules";
  }
  return "";
}

// ── Headline ────────────────────────────────────────────────────────────────────────────────────────────────────────

namespace {

/// A name that no line ends in the middle of: its hyphens do not break.
std::string unbroken(const std::string& name) {
  std::string out;
  for (const char c : name) out += c == '-' ? std::string("\u2011") : std::string(1, c);
  return out;
}

}  // namespace

std::string demo_headline(const DemoView& view) {
  std::int64_t found = 0;
  std::int64_t planted = 0;
  std::string method;
  for (const DemoGroup& group : view.groups) {
    for (const auto* rankings : {&group.top, &group.bottom}) {
      if (rankings->empty()) continue;
      found += hits_of(rankings->front());
      planted += std::ssize(rankings->front().hits);
      method = unbroken(rankings->front().method);
    }
  }
  const std::string causes = capitalised(count_in_words(std::ssize(view.groups))) + " planted " +
                             (view.groups.size() == 1 ? "cause" : "causes");
  const std::string finds = causes + ": " + method + " finds " + count(found) + " of " + count(planted) + " documents";
  if (!is_trained_again(view)) return finds;
  const bool all_proved = std::all_of(view.groups.begin(), view.groups.end(), is_proved);
  return finds + (all_proved ? ", and taking them out proves it" : ", but taking them out does not prove them all");
}

Html demo_deck(const DemoView& view) {
  std::int64_t questions = 0, answered = 0;
  bool answers_every_kind = true;
  for (const DemoGroup& group : view.groups) {
    questions += group.questions;
    answered += group.answered;
    answers_every_kind = answers_every_kind && group.answered > 0;
  }
  Html out = html(
      "We wrote {} short documents in which we know who taught what, trained a small model on them, and asked {} "
      "questions of {} kinds; it answers {} of them as planted. Of each kind one is shown: {}, the one of "
      "middling confidence. ",
      count(view.documents), count(questions), count_in_words(std::ssize(view.groups)), count(answered),
      answers_every_kind ? "among those it answers" : "among those it answers, or among all where it answers none");
  if (is_trained_again(view)) {
    out += Html::text(
        "Then we trained it again without all the documents that Assay named, and without as many random ones. ");
    const std::vector<std::string> proved = names_where(view, true);
    const std::vector<std::string> unproved = names_where(view, false);
    if (unproved.empty()) {
      out += Html::text("Only the first made the model forget. ");
    } else if (proved.empty()) {
      out += Html::text("The difference between the two is too small to prove anything. ");
    } else {
      out += html("The first made the model forget its {}; for {} the difference is too small to prove anything. ",
                  list_of(proved), list_of(unproved));
    }
  } else {
    out +=
        Html::text("It was not trained again without the documents found: this page shows what was found, not proof. ");
  }
  for (const DemoGroup& group : view.groups) {
    const std::string methods = simpler_methods(group);
    if (methods.empty()) continue;
    std::string name = groups_name(group.kind);
    name[0] = static_cast<char>(name[0] - 'A' + 'a');
    out += html("For {}, {} would have done as well or better. ", name, methods);
  }
  return out;
}

std::vector<std::string> demo_facts(const DemoView& view) {
  return {view.method_title,
          view.model.family + ", " + counted_in_digits(view.model.blocks, {"block", "blocks"}) + ", width " +
              count(view.model.width) + ", " + count(view.model.parameters) + " parameters",
          count(view.documents) + " generated documents, seed " + std::to_string(view.seed), view.took, view.date};
}

// ── The three columns ───────────────────────────────────────────────────────────────────────────────────────────────

std::string group_finding(const DemoGroup& group) {
  const std::int64_t planted = documents_of(group, DocumentRole::Planted);
  const std::int64_t against = documents_of(group, DocumentRole::Against);
  const std::int64_t decoys = documents_of(group, DocumentRole::Decoy);
  const std::string who = capitalised(documents(planted));
  switch (group.kind) {
    case DemoKind::Fact:
      return who + " " + verb_for(planted, "states", "state") + " it; " + count_in_words(decoys) + " more " +
             verb_for(decoys, "borrows", "borrow") + " its words";
    case DemoKind::DisputedFact: {
      const bool tells = !group.bottom.empty() && group.bottom.front().group_precision >= 0.5;
      return capitalised(count_in_words(planted)) + " say so, " + count_in_words(against) + " deny it, and the sign " +
             (tells ? "tells" : "does not tell");
    }
    case DemoKind::Rule:
      return who + " " + verb_for(planted, "teaches", "teach") + " an ending" +
             (group.words_never_planted.empty() ? "" : ", none with this word");
  }
  return "";
}

std::string group_caption(const DemoGroup& group) {
  const auto k = group.top.empty() ? 0 : std::ssize(group.top.front().hits);
  std::string out = "The first " + count(k) +
                    " of each ranking, best first; filled: planted. The last number is the mean over " +
                    (group.questions == 1 ? "one question" : "all " + count(group.questions) + " questions") +
                    " like it; the model answers " + count(group.answered) + " of them as planted.";
  if (!group.bottom.empty()) {
    std::vector<std::string> blind;
    for (const DemoRanking& ranking : group.bottom) {
      if (ranking.group_precision <= 0.05) blind.push_back(ranking.method);
    }
    if (!blind.empty())
      out +=
          " From the bottom, " + list_of(blind) + " " + verb_for(std::ssize(blind), "finds", "find") + " next to none.";
  }
  if (!group.words_never_planted.empty()) {
    std::vector<std::string> words;
    for (const std::string& word : group.words_never_planted) words.push_back("“" + word + "”");
    std::string joined;
    for (std::size_t i = 0; i < words.size(); ++i)
      joined += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + words[i];
    out += " No planted document contains " + joined + ".";
  }
  for (const bool sharing_curvature : {false, true}) {
    const std::vector<std::string> equal = equal_methods(group, sharing_curvature);
    if (equal.empty()) continue;
    out += (sharing_curvature ? " With the same curvature, " : " Here ") + list_of(equal) + " " +
           verb_for(std::ssize(equal), "does", "do") + " as well or better.";
  }
  return out;
}

std::string simpler_methods(const DemoGroup& group) {
  return list_of(equal_methods(group, false));
}

// ── Proof ───────────────────────────────────────────────────────────────────────────────────────────────────────────

std::string training_set_name(const DemoRetrained& row) {
  switch (row.training_set) {
    case TrainingSet::Everything: return "trained on everything";
    case TrainingSet::WithoutRandom: return "without " + count(row.removed) + " random";
    case TrainingSet::WithoutTop: return "without all top " + count(row.removed);
  }
  return "";
}

std::string removal_finding(const DemoView& view) {
  const std::vector<std::string> unproved = names_where(view, false);
  if (unproved.empty()) return "Without these documents the model no longer knows";
  if (unproved.size() == view.groups.size()) return "Taking the documents out does not prove them";
  return "Without these documents the model forgets, except its " + list_of(unproved);
}

Html removal_note(const DemoView& view) {
  const std::string seeds = view.retrained_seeds == 1 ? "one model" : count_in_words(view.retrained_seeds) + " models";
  return html(
      "The top documents of all questions are taken out at once. Each dot is the mean of {} trained again with the "
      "same seeds; the line spans them. As many random documents were taken out for comparison.",
      seeds);
}

std::string said_finding(const DemoView& view) {
  std::int64_t changed = 0;
  for (const DemoGroup& group : view.groups) {
    const DemoRetrained* before = retrained_on(group, TrainingSet::Everything);
    const DemoRetrained* after = retrained_on(group, TrainingSet::WithoutTop);
    if (before != nullptr && after != nullptr && before->says != after->says) ++changed;
  }
  if (changed == 0) return "The model still gives the same answers";
  if (changed == std::ssize(view.groups)) return "Asked again, it answers otherwise";
  return "Asked again, it answers " + count_in_words(changed) + " of " + count_in_words(std::ssize(view.groups)) +
         " otherwise";
}

std::string scatter_finding(const DemoView& view) {
  double predicted = 0;
  double actual = 0;
  for (const DemoGroup& group : view.groups) {
    for (const PredictedChange& change : group.changes) {
      predicted += finite(change.predicted_nats, "a predicted change");
      actual += finite(change.actual_nats, "an actual change");
    }
  }
  if (predicted == 0) return "What the scores predicted, and what happened";
  const double ratio = actual / predicted;
  if (ratio <= 0) return "The predicted sizes do not hold";
  if (ratio > 1.5)
    return "The scores promise the direction; the change is " + significant(ratio, 2) + " times as large";
  if (ratio < 0.67) return "The scores promise too much: " + percent(ratio) + " of the predicted change came";
  return "The predicted change comes: " + percent(ratio) + " of it";
}

std::string scatter_sentence(const DemoGroup& group) {
  const auto n = std::ssize(group.changes);
  std::string out = counted(n, {"question, one dot", "questions, one dot each"});
  if (group.change_spearman) out += "; rank correlation " + signed_fixed(*group.change_spearman, 2);
  return capitalised(out) + ".";
}

// ── How to read this ────────────────────────────────────────────────────────────────────────────────────────────────

std::vector<ReadingLine> demo_reading_lines(const DemoView& view) {
  std::vector<ReadingLine> lines = {
      {"Squares.", Html::text("One square is one retrieved document, best first. Filled means that we planted it as a "
                              "cause; empty means that we did not.")},
      {"Precision at k.",
       Html::text("The filled share of the first k squares, where k is the number of planted documents. Beside it "
                  "stands the mean over all questions of the kind, because one question can be lucky.")},
      {"Sign.",
       Html::markup("<b class=\"pos\">Blue</b> documents made the answer likelier, <b class=\"neg\">orange</b> ones "
                    "less likely. Methods that compare gradients have a sign; word overlap has none.")}};
  if (view.stability) {
    lines.push_back({"Stability.", html("The curvature is fitted on labels drawn from the model. With another draw the "
                                        "scores of all documents keep "
                                        "their order up to a rank correlation of {}, the mean over all questions.",
                                        fixed(finite(*view.stability, "a stability"), 2))});
  }
  Html limits =
      Html::text("A generated corpus and a small model: causes are cleaner here than in a text that people wrote.");
  if (is_trained_again(view)) {
    lines.push_back({"Proof.", Html::text("A model trained without the named documents, everything else equal, is the "
                                          "counterfactual that the scores try to predict.")});
    limits += Html::text(
        " The removal takes out the documents of all questions together, so a part of each change may come from its "
        "neighbours.");
  }
  for (const std::string& limit : view.limits) limits += html(" {}", limit);
  lines.push_back({"Limits.", limits});
  return lines;
}

}  // namespace assay::report
