#include "assay/report/trust_panel.h"

#include <algorithm>
#include <cmath>

#include "assay/report/numbers.h"
#include "assay/report/svg.h"
#include "assay/report/table_details.h"
#include "assay/report/trust_sentences.h"

namespace assay::report {
namespace {

constexpr std::size_t kMostRows = 20;
constexpr int kRowStep = 21;

/// Everything in view, zero too, with a little room.
LinearAxis axis_of(const TrustCheck& check) {
  double low = std::min({0.0, check.top_mean.low, check.random_mean.low});
  double high = std::max({0.0, check.top_mean.high, check.random_mean.high});
  for (const auto* documents : {&check.top, &check.random}) {
    for (const TrustDocument& document : *documents) {
      const double predicted = finite(document.predicted_nats.value_or(0), "a predicted change");
      low = std::min({low, finite(document.measured_nats, "a measured change"), predicted});
      high = std::max({high, document.measured_nats, predicted});
    }
  }
  const double span = high > low ? high - low : 1;
  return {low - 0.04 * span, high + 0.08 * span};
}

/// Vertical places of the parts, in pixels.
struct Layout {
  int rows = 0;
  int first() const { return 14; }
  int row(std::size_t i) const { return first() + kRowStep * static_cast<int>(i); }
  int top_mean() const { return first() + kRowStep * rows + 16; }
  int ticks() const { return top_mean() + 34; }
  int random_mean() const { return ticks() + 28; }
  int bottom() const { return random_mean() + 28; }
};

Html top_rows(const TrustCheck& check, const LinearAxis& axis, const Layout& layout) {
  Html out;
  for (std::size_t i = 0; i < static_cast<std::size_t>(layout.rows); ++i) {
    const TrustDocument& document = check.top[i];
    const double y = layout.row(i);
    out += svg_text(0, y + 4, "e", html("{}", i + 1), -10);
    if (document.predicted_nats) out += svg_ring(axis(*document.predicted_nats), y, 4.5, "pos");
    out += svg_dot(axis(document.measured_nats), y, 4.5, document.measured_nats < 0 ? "neg" : "pos");
  }
  if (layout.rows > 0) {
    const TrustDocument& first = check.top.front();
    const double measured = axis(first.measured_nats);
    const double predicted = first.predicted_nats ? axis(*first.predicted_nats) : measured - 1;
    const bool is_left = first.predicted_nats ? predicted > measured : measured > 0.7;
    if (first.predicted_nats)
      out += svg_text(predicted, 18, predicted > measured ? "h" : "e h", Html::text("predicted"),
                      predicted > measured ? 9 : -9);
    const std::string sign = first.measured_nats < 0 ? "nt h" : "pt h";
    out += svg_text(measured, 18, is_left ? "e " + sign : sign, Html::text("measured"), is_left ? -9 : 9);
  }
  return out;
}

/// A mean with its interval in numbers, on the side where there is room.
Html mean_label(const Interval& mean, const LinearAxis& axis, int y, int decimals) {
  const bool is_left = axis(mean.high) > 0.66;
  return svg_text(axis(is_left ? mean.low : mean.high), y + 4, is_left ? "e b h" : "b h",
                  html("{} <tspan class=\"wide\" style=\"font-weight:400\">{}</tspan>",
                       signed_fixed(mean.mean, decimals), interval(mean, decimals)),
                  is_left ? -12 : 12);
}

std::string connections(const TrustCheck& check, const LinearAxis& axis, const Layout& layout) {
  std::string path;
  for (std::size_t i = 0; i < static_cast<std::size_t>(layout.rows); ++i) {
    if (!check.top[i].predicted_nats) continue;
    path += fmt::format("M{} {}H{}", thousandths(axis(*check.top[i].predicted_nats)), layout.row(i),
                        thousandths(axis(check.top[i].measured_nats)));
  }
  return path;
}

Html lines(const TrustCheck& check, const LinearAxis& axis, const Layout& layout, const std::vector<double>& ticks) {
  std::string grid;
  for (const double tick : ticks) {
    if (tick != 0) grid += fmt::format("M{} 0V{}", thousandths(axis(tick)), layout.bottom());
  }
  std::string random;
  for (const TrustDocument& document : check.random) {
    random += fmt::format("M{} {}v14", thousandths(axis(document.measured_nats)), layout.ticks() - 10);
  }
  const int between = layout.top_mean() - 18;
  const auto segment = [&](const Interval& mean, int y) {
    return fmt::format("M{} {}H{}", thousandths(axis(mean.low)), y, thousandths(axis(mean.high)));
  };
  const std::string connected = connections(check, axis, layout);
  Html out = html("<path class=\"gr\" d=\"{}M0 {}H1000M0 {}H1000\"/><path class=\"z\" d=\"M{} 0V{}\"/>", grid, between,
                  layout.bottom(), thousandths(axis(0)), layout.bottom());
  if (!connected.empty()) out += html("<path class=\"s4\" style=\"stroke-width:2\" d=\"{}\"/>", connected);
  if (!random.empty()) out += html("<path style=\"stroke:var(--s5);stroke-width:1\" d=\"{}\"/>", random);
  if (!check.top.empty()) {
    out += html("<path class=\"{}\" style=\"stroke-width:2.5\" d=\"{}\"/>", check.top_mean.mean < 0 ? "sn" : "sp",
                segment(check.top_mean, layout.top_mean()));
  }
  if (!check.random.empty()) {
    out += html("<path style=\"stroke-width:2.5\" d=\"{}\"/>", segment(check.random_mean, layout.random_mean()));
  }
  return path_layer(layout.bottom(), out);
}

Html change_table(const TrustCheck& check, const Noun& noun, int decimals) {
  const bool has_predictions = std::any_of(check.top.begin(), check.top.end(),
                                           [](const TrustDocument& document) { return document.predicted_nats; });
  std::vector<Column> columns = {{"Rank", true}, {capitalised(noun.one), true}};
  if (has_predictions) columns.push_back({"Predicted, nats", true});
  columns.push_back({"Measured, nats", true});
  TableRows rows;
  const auto add = [&](const std::string& rank, const std::string& name, std::optional<double> predicted,
                       const std::string& measured) {
    std::vector<Html> row = {Html::text(rank), Html::text(name)};
    if (has_predictions) row.push_back(Html::text(predicted ? signed_fixed(*predicted, decimals) : ""));
    row.push_back(Html::text(measured));
    rows.push_back(std::move(row));
  };
  const auto add_mean = [&](const std::string& name, const Interval& mean) {
    add("mean", name, std::nullopt, signed_fixed(mean.mean, decimals) + " " + interval(mean, decimals));
  };
  for (std::size_t i = 0; i < check.top.size(); ++i) {
    add(std::to_string(i + 1), labelled(check.top[i].label, check.top[i].index), check.top[i].predicted_nats,
        signed_fixed(check.top[i].measured_nats, decimals));
  }
  if (!check.top.empty()) add_mean("top " + count(std::ssize(check.top)), check.top_mean);
  if (!check.random.empty()) add_mean(count(std::ssize(check.random)) + " random", check.random_mean);
  return table_details(has_predictions ? "predicted and measured" : "measured changes", columns, rows);
}

}  // namespace

Html trust_panel(FigureNumbers& numbers, const TrustCheck& check, const Noun& noun) {
  const LinearAxis axis = axis_of(check);
  const Layout layout{static_cast<int>(std::min(check.top.size(), kMostRows))};
  const double largest = std::max(std::abs(axis.low), std::abs(axis.high));
  const int decimals = std::min(9, decimals_for(largest) + (largest < 1 ? 0 : 1));
  const std::vector<double> ticks = round_ticks(axis, 5);

  Html content = lines(check, axis, layout, ticks) + top_rows(check, axis, layout);
  if (!check.top.empty()) {
    content += svg_text(0, layout.top_mean() + 4, "e b", Html::text("mean"), -10) +
               svg_dot(axis(check.top_mean.mean), layout.top_mean(), 6, check.top_mean.mean < 0 ? "neg" : "pos") +
               mean_label(check.top_mean, axis, layout.top_mean(), decimals);
  }
  if (!check.random.empty()) {
    double rightmost = 0;
    for (const TrustDocument& document : check.random) rightmost = std::max(rightmost, axis(document.measured_nats));
    const bool is_left = rightmost > 0.6;
    content += svg_text(0, layout.ticks() + 1, "e", Html::text(count(std::ssize(check.random))), -10) +
               svg_text(is_left ? 1 : rightmost, is_left ? layout.ticks() - 14 : layout.ticks() + 1,
                        is_left ? "e h" : "h", html("random {}, one tick each", noun.many), is_left ? 0 : 12) +
               svg_text(0, layout.random_mean() + 4, "e b", Html::text("mean"), -10) +
               svg_dot(axis(check.random_mean.mean), layout.random_mean(), 3.5, "ink") +
               mean_label(check.random_mean, axis, layout.random_mean(), decimals);
  }
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    const bool is_wide_only = ticks.size() > 4 && std::lround(ticks[i] / (ticks[1] - ticks[0])) % 2 != 0;
    content +=
        svg_text(axis(ticks[i]), layout.bottom() + 18, is_wide_only ? "m wide" : "m", Html::text(tick_label(ticks[i])));
  }
  content += svg_text(1, layout.bottom() + 36, "e", Html::text(change_axis_title(check)));
  return html(
      "<figure><div class=\"plr\" style=\"padding-left:48px\">{}</div>\n{}</figure>\n<p class=\"verdict\" "
      "style=\"margin-top:28px\">{}</p>",
      svg_figure(numbers, layout.bottom() + 42, trust_title(check), trust_description(check, noun, decimals), content),
      change_table(check, noun, decimals), verdict_sentence(check, noun));
}

}  // namespace assay::report
