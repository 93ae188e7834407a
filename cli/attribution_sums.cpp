#include "cli/attribution_sums.h"

#include <fmt/format.h>
#include <unistd.h>

#include "assay/core/hash.h"
#include "assay/report/terminal.h"

namespace assay::cli {
namespace {

constexpr int64_t kRankedQuestions = 10;
constexpr int64_t kRankedByDefault = 20;  // from each end

bool are_groups(const AttributionInputs& inputs) {
  return !inputs.groups.names.empty();
}

double sum_at(const Attribution& found, const SummedRanking& ranking, int64_t column) {
  const auto row = static_cast<int64_t>(ranking.question.value_or(0));
  return found.scores.total[row][column].item<double>();
}

std::string name_of(const AttributionInputs& inputs, const Attribution& found, int64_t column) {
  return are_groups(inputs) ? inputs.groups.names[static_cast<size_t>(column)] : found.texts.at(column);
}

int64_t members_of(const AttributionInputs& inputs, const std::vector<int64_t>& sizes, int64_t column) {
  return are_groups(inputs) ? sizes[static_cast<size_t>(column)] : 1;
}

std::string title_of(const AttributionInputs& inputs, const SummedRanking& ranking) {
  const std::string of = are_groups(inputs) ? "Groups" : "Documents";
  if (!ranking.question) return of + ", summed over all questions";
  return fmt::format("{}, for question {}", of, *ranking.question + 1);
}

}  // namespace

std::vector<SummedRanking> summed_rankings(const AttributionInputs& inputs, const Attribution& found,
                                           const AttributeOptions& options) {
  if (options.grouping == Grouping::None) return {};
  const bool sums_questions = options.grouping != Grouping::Documents;
  const auto among = are_groups(inputs) ? std::span<const int64_t>() : told_among(found);
  const int64_t columns = among.empty() ? found.scores.total.size(1) : std::ssize(among);
  const int64_t each_end = std::min(columns, options.top > 0 ? options.top : kRankedByDefault);
  std::vector<SummedRanking> rankings;
  for (int64_t q = 0; q < std::min(kRankedQuestions, found.scores.total.size(0)); ++q) {
    const at::Tensor row = found.scores.total[q].to(at::kDouble).contiguous();
    const std::span<const double> sums(row.const_data_ptr<double>(), static_cast<size_t>(row.numel()));
    SummedRanking ranking;
    if (!sums_questions) ranking.question = static_cast<size_t>(q);
    ranking.columns = attribute::strongest_supporters(sums, are_groups(inputs) ? columns : each_end, false, among);
    if (2 * each_end < columns) {
      ranking.columns.resize(static_cast<size_t>(each_end));
      if (found.meaning.is_signed) {
        std::vector<int64_t> against = attribute::strongest_opponents(sums, each_end, among);
        ranking.columns.insert(ranking.columns.end(), against.rbegin(), against.rend());
      }
    }
    rankings.push_back(std::move(ranking));
  }
  return rankings;
}

nlohmann::ordered_json summed_json(const AttributionInputs& inputs, const Attribution& found,
                                   const std::vector<SummedRanking>& rankings) {
  const std::vector<int64_t> sizes = inputs.groups.sizes();
  nlohmann::ordered_json result = nlohmann::ordered_json::array();
  for (const SummedRanking& ranking : rankings) {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const int64_t column : ranking.columns) {
      nlohmann::ordered_json row;
      if (are_groups(inputs)) {
        row["group"] = name_of(inputs, found, column);
        row["documents"] = members_of(inputs, sizes, column);
      } else {
        row["row"] = column;
        row["document"] = inputs.text.encoded.document_of[static_cast<size_t>(column)];
        row["id"] = hex64(inputs.dataset().examples[static_cast<size_t>(column)].id);
      }
      row["score"] = sum_at(found, ranking, column);
      rows.push_back(std::move(row));
    }
    const nlohmann::ordered_json question =
        ranking.question ? nlohmann::ordered_json(*ranking.question) : nlohmann::ordered_json("all");
    result.push_back({{"question", question}, {"ranking", std::move(rows)}});
  }
  return result;
}

std::string summed_table(const AttributionInputs& inputs, const Attribution& found,
                         const std::vector<SummedRanking>& rankings, double factor, const std::string& unit) {
  if (rankings.empty()) return {};
  const SummedRanking& ranking = rankings.front();
  const std::vector<int64_t> sizes = inputs.groups.sizes();
  std::vector<std::vector<report::Cell>> rows;
  for (const int64_t column : ranking.columns) {
    const double sum = sum_at(found, ranking, column) * factor;
    rows.push_back({{std::to_string(rows.size() + 1), report::Tone::Faint},
                    {fmt::format("{:+.3g}", sum), sum > 0   ? report::Tone::Supports
                                                  : sum < 0 ? report::Tone::Opposes
                                                            : report::Tone::Plain},
                    {are_groups(inputs) ? format_count(members_of(inputs, sizes, column)) : inputs.label(column)},
                    {name_of(inputs, found, column)}});
  }
  return fmt::format(
      "{}\n{}", title_of(inputs, ranking),
      report::terminal_table(
          {"", unit, are_groups(inputs) ? "documents" : "document", are_groups(inputs) ? "group" : "text"},
          {report::Align::Right, report::Align::Right, report::Align::Right, report::Align::Left}, rows,
          report::terminal_style(STDOUT_FILENO)));
}

std::vector<report::SumView> summed_views(const AttributionInputs& inputs, const Attribution& found,
                                          const std::vector<SummedRanking>& rankings) {
  const std::vector<int64_t> sizes = inputs.groups.sizes();
  std::vector<report::SumView> views;
  for (const SummedRanking& ranking : rankings) {
    report::SumView view{.title = title_of(inputs, ranking), .is_groups = are_groups(inputs), .rows = {}};
    for (const int64_t column : ranking.columns) {
      view.rows.push_back({.name = name_of(inputs, found, column),
                           .documents = members_of(inputs, sizes, column),
                           .index = column,
                           .score = sum_at(found, ranking, column),
                           .label = are_groups(inputs) ? std::string() : inputs.label(column)});
    }
    views.push_back(std::move(view));
  }
  return views;
}

}  // namespace assay::cli
