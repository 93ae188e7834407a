// Chat templates. Templates are programs in Jinja; Assay runs none of them. It recognises ChatML, the layout of
// SmolLM2, Qwen and others, by what a template says, and refuses every other layout by a name where it knows one.
#pragma once

#include <string>
#include <vector>

#include "assay/data/tokenizer.h"

namespace assay::data {

struct ChatMessage {
  std::string role;  ///< "system", "user", "assistant"
  std::string content;
};

/// ChatML: <|im_start|>ROLE\nCONTENT<|im_end|>\n for each message.
class ChatTemplate {
 public:
  /// Throws Error(Model) if the tokenizer has no chat template or one that is not ChatML.
  explicit ChatTemplate(const Tokenizer& tokenizer);

  /// The system message that the template puts first where a conversation has none; empty if it puts none.
  const std::string& default_system() const { return default_system_; }

  /// The conversation as text, ready for the assistant's answer.
  std::string render(const std::vector<ChatMessage>& messages) const;

  /// The token that ends a message, at which generation stops.
  int32_t end_of_message() const { return end_of_message_; }

 private:
  std::string default_system_;
  int32_t end_of_message_ = 0;
};

}  // namespace assay::data
