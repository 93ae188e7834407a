#include "assay/report/token_strip.h"

#include <algorithm>
#include <cmath>

#include "assay/core/error.h"
#include "assay/report/color_steps.h"
#include "assay/report/numbers.h"
#include "assay/report/split_characters.h"
#include "assay/report/table_details.h"

namespace assay::report {
namespace {

constexpr int kLongestBar = 84;
constexpr int kQuestionTokens = 60;
constexpr int kCompletionTokens = 120;
constexpr std::size_t kLongestToken = 20;  // characters; the table has it all

double surprise(const QueryToken& token) {
  return token.logprob_nats ? std::max(0.0, -*token.logprob_nats) : 0;
}

double largest_surprise(const std::vector<QueryToken>& tokens, int begin, int end) {
  double largest = 0;
  for (int i = begin; i < end; ++i) largest = std::max(largest, surprise(tokens[static_cast<std::size_t>(i)]));
  return largest;
}

/// A blank before the word becomes a gap; a token of blanks alone shows them.
Html token_text(const std::string& text) {
  const std::size_t word = text.find_first_not_of(' ');
  if (word == std::string::npos) {
    std::string marks;
    for (std::size_t i = 0; i < text.size(); ++i) marks += "␣";
    return Html::text(marks);
  }
  return Html::text(shortened(std::string_view(text).substr(text[0] == ' ' ? 1 : 0), kLongestToken), Breaks::Show);
}

bool begins_with_blank(const std::string& text) {
  return !text.empty() && text[0] == ' ' && text != " ";
}

Html question_token(const QueryToken& token, bool is_first, double pixels_per_nat) {
  const double length = surprise(token) * pixels_per_nat;
  const bool is_cut = length > kLongestBar + 12;
  const int height = static_cast<int>(std::lround(std::clamp(length, 1.0, kLongestBar + 12.0)));
  const std::string classes = std::string("g") + (!is_first && begins_with_blank(token.text) ? " sp" : "");
  return html("<span class=\"{}\"><b>{}</b><i style=\"height:{}px{}\"></i></span>", classes, token_text(token.text),
              height, is_cut ? ";border-bottom:0" : "");
}

Html completion_token(const QueryToken& token, double pixels_per_nat) {
  const double nats = surprise(token);
  const int height = std::max(1, static_cast<int>(std::lround(nats * pixels_per_nat)));
  return html("<span{}><b class=\"{}\">{}</b><i style=\"height:{}px\"></i><em>{}<small>{}</small></em></span>",
              Html::markup(begins_with_blank(token.text) ? " class=\"sp\"" : ""), surprise_class(nats),
              token_text(token.text), height, fixed(nats, nats < 9.9995 ? 3 : 1), percent(std::exp(-nats)));
}

Html token_table(const std::vector<QueryToken>& tokens, int begin, int end, int prompt_tokens) {
  TableRows rows;
  for (int i = begin; i < end; ++i) {
    const QueryToken& token = tokens[static_cast<std::size_t>(i)];
    const double nats = token.logprob_nats.value_or(0);
    rows.push_back({html("<q>{}</q>", Html::text(token.text, Breaks::Show)),
                    Html::text(i < prompt_tokens ? "question" : "completion"),
                    Html::text(token.logprob_nats ? signed_fixed(nats, 4) : "not predicted"),
                    Html::text(token.logprob_nats ? percent(std::exp(nats)) : "")});
  }
  return table_details("every token shown",
                       {{"Token"}, {"Part"}, {"Log-probability, nats", true}, {"Probability", true}}, rows);
}

}  // namespace

DisplayTokens display_tokens(const std::vector<QueryToken>& tokens, int prompt_tokens) {
  ASSAY_ASSERT(prompt_tokens >= 0 && prompt_tokens <= std::ssize(tokens));
  std::vector<std::string> texts;
  for (const QueryToken& token : tokens) texts.push_back(token.text);
  const std::vector<std::size_t> groups = display_groups(texts);
  DisplayTokens out;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const bool is_prompt = static_cast<int>(i) < prompt_tokens;
    if (groups[i] == i) {
      out.tokens.push_back(tokens[i]);
      out.prompt_tokens += is_prompt ? 1 : 0;
      continue;
    }
    QueryToken& whole = out.tokens.back();
    whole.text += tokens[i].text;
    if (tokens[i].logprob_nats) whole.logprob_nats = whole.logprob_nats.value_or(0) + *tokens[i].logprob_nats;
    whole.alternatives.clear();  // they were alternatives to a part of a character
  }
  return out;
}

Html token_strip(const std::vector<QueryToken>& all_tokens, int all_prompt_tokens, const Html& note) {
  const auto [tokens, prompt_tokens] = display_tokens(all_tokens, all_prompt_tokens);
  if (tokens.empty()) return {};
  const int count_tokens = static_cast<int>(tokens.size());
  const int begin = std::max(0, prompt_tokens - kQuestionTokens);
  const int end = std::min(count_tokens, prompt_tokens + kCompletionTokens);

  // The completion sets the scale; a much more surprising question is cut, with its bars open at the bottom.
  const double completion = largest_surprise(tokens, prompt_tokens, end);
  const double question = largest_surprise(tokens, begin, prompt_tokens);
  const double longest = completion > 0 ? std::max(completion, std::min(question, 1.1 * completion)) : question;
  const double pixels_per_nat = longest > 0 ? kLongestBar / longest : 0;

  Html out = Html::markup(
      "<figure>\n<div class=\"ts\" role=\"img\" aria-label=\"Surprise of each token; the values are in the table "
      "below\">");
  if (prompt_tokens > 0) {
    out += Html::markup("<div>");
    if (begin > 0) out += Html::markup("<span class=\"g\"><b>…</b></span>");
    for (int i = begin; i < prompt_tokens; ++i) {
      out += question_token(tokens[static_cast<std::size_t>(i)], i == begin, pixels_per_nat);
    }
    out += Html::markup("</div>");
  }
  out += Html::markup(prompt_tokens > 0 ? "<div><u></u>" : "<div>");
  for (int i = prompt_tokens; i < end; ++i)
    out += completion_token(tokens[static_cast<std::size_t>(i)], pixels_per_nat);
  out += Html::markup("</div></div>\n");

  if (begin > 0 || end < count_tokens) {
    out += html(
        "<p class=\"cap\">Drawn: the last {} of {} tokens of the question, the first {} of {} of the completion.</p>\n",
        count(prompt_tokens - begin), count(prompt_tokens), count(end - prompt_tokens),
        count(count_tokens - prompt_tokens));
  }
  if (!note.empty()) out += html("<p class=\"n\" style=\"margin-top:18px;max-width:44em\">{}</p>\n", note);
  return out + token_table(tokens, begin, end, prompt_tokens) + Html::markup("</figure>");
}

}  // namespace assay::report
