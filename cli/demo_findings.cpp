#include "cli/demo_findings.h"

#include <algorithm>
#include <cmath>

#include "assay/core/error.h"
#include "assay/evaluate/retrieval.h"
#include "assay/math/correlation.h"
#include "assay/math/summary.h"

namespace assay::cli {
namespace {

std::span<const float> row_of(const at::Tensor& scores, size_t question) {
  const auto documents = static_cast<size_t>(scores.size(1));
  return {scores.const_data_ptr<float>() + question * documents, documents};
}

/// How much of `relevant` stands in the first k of `ranking`, k the number of relevant documents.
Retrieved retrieve(const std::vector<size_t>& ranking, const std::vector<int64_t>& relevant, int64_t documents) {
  std::vector<uint8_t> is_relevant(static_cast<size_t>(documents), 0);
  for (const int64_t row : relevant) is_relevant[static_cast<size_t>(row)] = 1;
  Retrieved retrieved{.hits = {}, .precision = evaluate::precision_at(relevant.size(), ranking, is_relevant)};
  for (const size_t row : ranking) retrieved.hits.push_back(is_relevant[row] != 0);
  return retrieved;
}

double mean_precision(const std::vector<Retrieved>& retrieved) {
  std::vector<double> precisions;
  for (const Retrieved& one : retrieved) precisions.push_back(one.precision);
  return precisions.empty() ? 0 : math::mean(precisions);
}

MethodOnGroup method_on(const data::ThreeCauses& corpus, const std::vector<size_t>& questions,
                        const DemoScores& scores) {
  MethodOnGroup method{.name = scores.name, .call = scores.call, .top = {}, .bottom = {}};
  for (const size_t question : questions) {
    const int cause = corpus.questions[question].cause;
    const std::span<const float> row = row_of(scores.total, question);
    const auto planted = documents_of(corpus, cause, data::DocumentRole::Planted);
    const auto against = documents_of(corpus, cause, data::DocumentRole::Against);
    method.top.push_back(retrieve(evaluate::top(row, planted.size()), planted, scores.total.size(1)));
    if (!against.empty())
      method.bottom.push_back(retrieve(evaluate::bottom(row, against.size()), against, scores.total.size(1)));
  }
  method.precision = mean_precision(method.top);
  method.bottom_precision = mean_precision(method.bottom);
  return method;
}

/// Of the questions answered as planted (of all, where none is) the place of the one with the median probability: the
/// middle one shows the group better than one drawn by lot, and a question that the model gets wrong asks for nothing.
size_t median_answered(const std::vector<size_t>& questions, const DemoTrainingSet& everything) {
  const std::vector<double>& nats = everything.log_probabilities.by_seed.front();
  std::vector<size_t> places;
  for (size_t place = 0; place < questions.size(); ++place)
    if (everything.is_as_planted[questions[place]]) places.push_back(place);
  if (places.empty())
    for (size_t place = 0; place < questions.size(); ++place) places.push_back(place);
  std::ranges::stable_sort(places, {}, [&](size_t place) { return nats[questions[place]]; });
  return places[places.size() / 2];
}

}  // namespace

const MethodOnGroup& method_of(const DemoGroupFindings& group, std::string_view name) {
  const auto found = std::find_if(group.methods.begin(), group.methods.end(),
                                  [name](const auto& method) { return method.name == name; });
  ASSAY_ASSERT(found != group.methods.end());
  return *found;
}

std::vector<int64_t> top_documents(const data::ThreeCauses& corpus, const DemoScores& ours) {
  std::vector<std::vector<size_t>> tops;
  for (size_t question = 0; question < corpus.questions.size(); ++question) {
    const auto planted = documents_of(corpus, corpus.questions[question].cause, data::DocumentRole::Planted);
    tops.push_back(evaluate::top(row_of(ours.total, question), planted.size()));
  }
  return evaluate::union_of(tops);
}

std::vector<DemoGroupFindings> find_planted(const data::ThreeCauses& corpus, const std::vector<DemoScores>& scores,
                                            const DemoTrainingSet& everything) {
  std::vector<DemoGroupFindings> groups;
  for (const data::CauseKind kind : {data::CauseKind::Fact, data::CauseKind::DisputedFact, data::CauseKind::Rule}) {
    DemoGroupFindings group{.kind = kind, .questions = {}, .methods = {}, .removal = {}};
    for (size_t question = 0; question < corpus.questions.size(); ++question)
      if (corpus.questions[question].kind == kind) group.questions.push_back(question);
    for (const DemoScores& method : scores) group.methods.push_back(method_on(corpus, group.questions, method));
    std::vector<double> probabilities;
    for (const size_t question : group.questions)
      probabilities.push_back(std::exp(everything.log_probabilities.by_seed.front()[question]));
    group.mean_probability = math::mean(probabilities);
    group.answered =
        std::ranges::count_if(group.questions, [&](size_t question) { return everything.is_as_planted[question]; });
    group.shown = median_answered(group.questions, everything);
    groups.push_back(std::move(group));
  }
  return groups;
}

RemovalOnGroup removal_on(const DemoGroupFindings& group, const DemoScores& ours, int64_t documents, int64_t layers,
                          const DemoTrainingSet& everything, const DemoTrainingSet& without_top,
                          const DemoTrainingSet& without_random) {
  const std::vector<double> top = evaluate::change(everything.log_probabilities, without_top.log_probabilities);
  const std::vector<double> random = evaluate::change(everything.log_probabilities, without_random.log_probabilities);
  RemovalOnGroup removal;
  std::vector<double> changes_without_random;
  for (const size_t question : group.questions) {
    removal.predicted.push_back(
        evaluate::predicted_change(row_of(ours.total, question), without_top.removed, documents, layers));
    removal.actual.push_back(top[question]);
    changes_without_random.push_back(random[question]);
  }
  removal.without_top = math::mean(removal.actual);
  removal.without_random = math::mean(changes_without_random);
  const double spearman = math::spearman(removal.predicted, removal.actual);
  if (std::isfinite(spearman)) removal.spearman = spearman;
  return removal;
}

}  // namespace assay::cli
