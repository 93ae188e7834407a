#include "assay/data/chat.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/data/tokenizer_definition.h"

namespace assay::data {
namespace {

constexpr std::string_view kBegin = "<|im_start|>", kEnd = "<|im_end|>";

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

/// One spelling for the ways in which templates write the same expression: line ends in literals as \n, single quotes,
/// message.role for message['role'], no spaces around +, and neighbouring literals joined.
std::string canonical(std::string text) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kSpellings{{
      {"\n", "\\n"},
      {"\"", "'"},
      {"['role']", ".role"},
      {"['content']", ".content"},
      {" +", "+"},
      {"+ ", "+"},
      {"'+'", ""},
      {"{{ ", "{{"},
      {"{{- ", "{{"},
  }};
  for (const auto& [from, to] : kSpellings) replace_all(text, from, to);
  return text;
}

/// The system message that a literal of the template holds in full: <|im_start|>system\n…<|im_end|>.
std::string literal_system_message(const std::string& canonical_template) {
  const std::string begin = fmt::format("'{}system\\n", kBegin);
  for (size_t at = canonical_template.find(begin); at != std::string::npos;
       at = canonical_template.find(begin, at + 1)) {
    const size_t from = at + begin.size();
    const size_t to = canonical_template.find(kEnd, from);
    if (to == std::string::npos) break;
    std::string message = canonical_template.substr(from, to - from);
    if (message.find('\'') != std::string::npos) continue;  // the literal ends before: its rest is computed
    replace_all(message, "\\n", "\n");
    return message;
  }
  return "";
}

/// Layouts by a mark that only they have.
std::string layout_name(const std::string& text) {
  constexpr std::array<std::pair<std::string_view, const char*>, 7> kMarks{{
      {"<|start_header_id|>", "Llama 3"},
      {"[INST]", "Llama 2 or Mistral"},
      {"<start_of_turn>", "Gemma"},
      {"<|user|>", "Zephyr or Phi-3"},
      {"### Instruction", "Alpaca"},
      {"<|START_OF_TURN_TOKEN|>", "Command R"},
      {kBegin, "a variant of ChatML that computes its messages"},
  }};
  for (const auto& [mark, name] : kMarks) {
    if (text.find(mark) != std::string::npos) return name;
  }
  return "one without a mark that Assay knows";
}

[[noreturn]] void refuse(const Tokenizer& tokenizer, const std::string& found) {
  throw Error(
      ErrorKind::Model,
      fmt::format("using the chat template of \"{}\": it must be ChatML (<|im_start|>role, message, <|im_end|>), but "
                  "{}; leave out --chat and write the model's own layout into the prompt",
                  tokenizer.definition().source, found));
}

}  // namespace

ChatTemplate::ChatTemplate(const Tokenizer& tokenizer) {
  if (!tokenizer.chat_template()) refuse(tokenizer, "the model has no chat template");
  const std::string text = canonical(*tokenizer.chat_template());
  const std::string message = fmt::format("'{}'+message.role+'\\n'+message.content+'{}\\n'", kBegin, kEnd);
  if (text.find(message) == std::string::npos) refuse(tokenizer, "its layout is " + layout_name(text));
  const auto end = tokenizer.added_token(kEnd);
  if (!end || !tokenizer.added_token(kBegin)) refuse(tokenizer, "the tokenizer has no tokens for these marks");
  end_of_message_ = *end;
  default_system_ = literal_system_message(text);
}

std::string ChatTemplate::render(const std::vector<ChatMessage>& messages) const {
  std::string text;
  const auto add = [&](const std::string& role, const std::string& content) {
    text += fmt::format("{}{}\n{}{}\n", kBegin, role, content, kEnd);
  };
  const bool has_system = !messages.empty() && messages.front().role == "system";
  if (!has_system && !default_system_.empty() && !ASSAY_TWIN("data.chat_without_system"))
    add("system", default_system_);
  for (const ChatMessage& message : messages) add(message.role, message.content);
  return text + fmt::format("{}assistant\n", kBegin);
}

}  // namespace assay::data
