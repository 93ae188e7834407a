#include "cli/demo_results.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "assay/report/numbers.h"
#include "assay/report/terminal.h"
#include "cli/result.h"

namespace assay::cli {
namespace {

using nlohmann::ordered_json;

constexpr const char* kBm25Words = "BM25 (words)";
constexpr const char* kBm25Tokens = "BM25 (tokens)";

/// Word overlap gets its better half: the page shows one BM25.
std::vector<MethodOnGroup> shown_methods(const DemoGroupFindings& group) {
  const bool words_are_better = method_of(group, kBm25Words).precision >= method_of(group, kBm25Tokens).precision;
  std::vector<MethodOnGroup> shown;
  for (const MethodOnGroup& method : group.methods) {
    if (method.name == (words_are_better ? kBm25Tokens : kBm25Words)) continue;
    shown.push_back(method);
    if (method.name == (words_are_better ? kBm25Words : kBm25Tokens)) shown.back().name = "BM25";
  }
  return shown;
}

report::DemoKind kind_of(data::CauseKind kind) {
  switch (kind) {
    case data::CauseKind::Fact: return report::DemoKind::Fact;
    case data::CauseKind::DisputedFact: return report::DemoKind::DisputedFact;
    case data::CauseKind::Rule: return report::DemoKind::Rule;
  }
  return report::DemoKind::Fact;
}

std::vector<report::DemoExample> examples_of(const data::ThreeCauses& corpus, int cause) {
  std::vector<report::DemoExample> examples;
  const std::pair<data::DocumentRole, report::DocumentRole> roles[] = {
      {data::DocumentRole::Planted, report::DocumentRole::Planted},
      {data::DocumentRole::Against, report::DocumentRole::Against},
      {data::DocumentRole::Decoy, report::DocumentRole::Decoy}};
  for (const auto& [role, shown] : roles) {
    const std::vector<int64_t> rows = documents_of(corpus, cause, role);
    if (!rows.empty())
      examples.push_back(
          {shown, corpus.documents[static_cast<size_t>(rows.front())].text, static_cast<int64_t>(rows.size())});
  }
  return examples;
}

/// Words of a question that no document planted for it holds.
std::vector<std::string> words_never_planted(const data::ThreeCauses& corpus, const data::CausedQuestion& question) {
  std::vector<std::string> missing;
  std::istringstream words(question.prompt);
  for (std::string word; words >> word;) {
    const std::vector<int64_t> rows = documents_of(corpus, question.cause, data::DocumentRole::Planted);
    const bool is_planted = std::any_of(rows.begin(), rows.end(), [&](int64_t row) {
      std::istringstream document(corpus.documents[static_cast<size_t>(row)].text);
      for (std::string other; document >> other;)
        if (other == word) return true;
      return false;
    });
    if (!is_planted) missing.push_back(word);
  }
  return missing;
}

report::DemoRetrained retrained_row(report::TrainingSet set, const DemoTrainingSet& trained, size_t question,
                                    double group_change) {
  evaluate::Retrained probabilities = trained.log_probabilities;
  for (std::vector<double>& values : probabilities.by_seed)
    for (double& value : values) value = std::exp(value);
  const evaluate::SeedRange range = evaluate::over_seeds(probabilities, question);
  return {.training_set = set,
          .removed = static_cast<int64_t>(trained.removed.size()),
          .probability = range.mean,
          .probability_low = range.low,
          .probability_high = range.high,
          .says = trained.says[question],
          .group_change_nats = group_change};
}

/// "groups" of result.json.
ordered_json groups_json(const DemoOutcome& outcome) {
  ordered_json groups = ordered_json::array();
  for (const DemoGroupFindings& found : outcome.groups) {
    ordered_json group{{"kind", to_string(found.kind)},
                       {"questions", found.questions.size()},
                       {"answered_as_planted", found.answered},
                       {"mean_probability", found.mean_probability}};
    for (const MethodOnGroup& method : found.methods) {
      group["precision"][method.name] = method.precision;
      if (!method.bottom.empty()) group["bottom_precision"][method.name] = method.bottom_precision;
    }
    if (found.removal) {
      group["change_nats"] = {{"without_top", found.removal->without_top},
                              {"without_random", found.removal->without_random}};
      group["predicted_nats"] = found.removal->predicted;
      group["actual_nats"] = found.removal->actual;
      group["spearman"] = found.removal->spearman ? ordered_json(*found.removal->spearman) : ordered_json(nullptr);
    }
    groups.push_back(std::move(group));
  }
  return groups;
}

}  // namespace

std::vector<report::DemoGroup> demo_report_groups(const DemoOutcome& outcome) {
  std::vector<report::DemoGroup> groups;
  for (const DemoGroupFindings& found : outcome.groups) {
    const size_t shown = found.questions[found.shown];
    const data::CausedQuestion& question = outcome.corpus.questions[shown];
    report::DemoGroup group;
    group.kind = kind_of(found.kind);
    group.prompt = question.prompt;
    group.answer = question.completion.substr(1);
    group.questions = static_cast<int64_t>(found.questions.size());
    group.answered = found.answered;
    group.examples = examples_of(outcome.corpus, question.cause);
    group.words_never_planted = words_never_planted(outcome.corpus, question);
    for (const MethodOnGroup& method : shown_methods(found)) {
      const bool shares_curvature = method.name == "l-RelatIF";
      group.top.push_back({method.name, method.top[found.shown].hits, method.precision, shares_curvature});
      if (found.kind == data::CauseKind::DisputedFact)
        group.bottom.push_back(
            {method.name, method.bottom[found.shown].hits, method.bottom_precision, shares_curvature});
    }
    group.retrained.push_back(retrained_row(report::TrainingSet::Everything, outcome.everything, shown, 0));
    if (found.removal) {
      group.retrained.push_back(retrained_row(report::TrainingSet::WithoutRandom, *outcome.without_random, shown,
                                              found.removal->without_random));
      group.retrained.push_back(
          retrained_row(report::TrainingSet::WithoutTop, *outcome.without_top, shown, found.removal->without_top));
      for (size_t i = 0; i < found.questions.size(); ++i)
        group.changes.push_back({found.removal->predicted[i], found.removal->actual[i]});
      group.change_spearman = found.removal->spearman;
    }
    groups.push_back(std::move(group));
  }
  return groups;
}

ordered_json demo_json(const DemoOutcome& outcome, const Invocation& invocation) {
  const AttributionInputs& subject = outcome.subject;
  ordered_json result = result_head(invocation);
  result["model"] = {{"path", subject.checkpoint.path}, {"hash", subject.checkpoint.hash}};
  result["data"] = {{"documents", outcome.corpus.documents.size()},
                    {"examples", subject.dataset().size()},
                    {"tokens", subject.dataset().tokens()},
                    {"words", outcome.corpus.words.size()},
                    {"hash", subject.dataset().content_hash()}};
  result["method"] = outcome.scores.front().call;
  result["unit"] = "nats";
  result["sign"] = "positive: the change raises the log-probability of the right answer";
  result["removed"] = outcome.without_top ? outcome.without_top->removed.size() : 0;
  result["label_stability"] = outcome.stability;  // null where it is not finite
  result["groups"] = groups_json(outcome);
  return result;
}

std::string demo_summary(const DemoOutcome& outcome) {
  using report::Align;
  const auto number = [](double value) { return report::Cell{report::fixed(value, 2)}; };
  std::vector<std::vector<report::Cell>> rows;
  for (size_t m = 0; m < outcome.scores.size(); ++m) {
    std::vector<report::Cell> row{{outcome.scores[m].name}};
    for (const DemoGroupFindings& group : outcome.groups) {
      row.push_back(number(group.methods[m].precision));
      if (group.kind == data::CauseKind::DisputedFact) row.push_back(number(group.methods[m].bottom_precision));
    }
    rows.push_back(std::move(row));
  }
  const report::TerminalStyle style = report::terminal_style(STDOUT_FILENO);
  std::string text =
      report::terminal_table({"precision at k", "facts", "disputed, top", "disputed, bottom", "rule"},
                             {Align::Left, Align::Right, Align::Right, Align::Right, Align::Right}, rows, style);
  if (!outcome.without_top) return text;
  const auto changes = [&](const std::string& name, double RemovalOnGroup::*value) {
    std::vector<report::Cell> row{{name}};
    for (const DemoGroupFindings& group : outcome.groups)
      row.push_back({report::signed_fixed((*group.removal).*value, 2)});
    return row;
  };
  const std::string count = report::count(static_cast<int64_t>(outcome.without_top->removed.size()));
  text += "\n" + report::terminal_table({"trained again, change in nats", "facts", "disputed", "rule"},
                                        {Align::Left, Align::Right, Align::Right, Align::Right},
                                        {changes("without the top " + count, &RemovalOnGroup::without_top),
                                         changes("without " + count + " random", &RemovalOnGroup::without_random)},
                                        style);
  return text;
}

}  // namespace assay::cli
