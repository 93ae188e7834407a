#include "assay/data/chat.h"

#include <gtest/gtest.h>

#include "assay/core/twin.h"
#include "assay/data/tokenizer_definition.h"
#include "tests/support/errors.h"
#include "tests/support/smollm2.h"

namespace assay::data {
namespace {

Tokenizer with_template(std::optional<std::string> text, bool has_marks = true) {
  TokenizerDefinition definition;
  definition.kind = TokenizerKind::WordLevel;
  definition.source = "test";
  definition.vocabulary = {"<unk>"};
  definition.split_rules = {split::at_white_space()};
  definition.unknown = 0;
  if (has_marks) definition.added_tokens = {{1, "<|im_start|>"}, {2, "<|im_end|>"}};
  definition.chat_template = std::move(text);
  return Tokenizer(definition);
}

constexpr auto kPlain =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + "
    "'\\n'}}"
    "{% endfor %}";
constexpr auto kWithSystem =
    "{%- if tools %}{{- '<|im_start|>system\\n' }}{{- messages[0].content }}{%- else %}"
    "{{- \"<|im_start|>system\\nYou are Q.\\nBe kind.<|im_end|>\\n\" }}{%- endif %}{%- for message in messages %}"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{%- endfor %}";

TEST(ChatTemplate, SmolLM2SpeaksWithItsOwnSystemMessage) {
  const std::string model = smollm2_path();
  if (model.empty()) GTEST_SKIP() << no_smollm2();
  const ChatTemplate chat(load_tokenizer(model));
  const auto rendered = [&] { return chat.render({{"user", "Hi"}}); };
  const std::string expected =
      "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
      "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
  EXPECT_EQ(rendered(), expected);
  EXPECT_EQ(chat.end_of_message(), 2);
  EXPECT_EQ(chat.render({{"system", "Be brief"}, {"user", "Hi"}}),
            "<|im_start|>system\nBe brief<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
  const ScopedTwin error("data.chat_without_system");
  EXPECT_NE(rendered(), expected);
}

TEST(ChatTemplate, ChatMlIsKnownInEitherSpelling) {
  EXPECT_EQ(ChatTemplate(with_template(kPlain)).default_system(), "");
  EXPECT_EQ(ChatTemplate(with_template(kPlain)).render({{"user", "Hi"}}),
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(ChatTemplate(with_template(kWithSystem)).default_system(), "You are Q.\nBe kind.");
}

TEST(ChatTemplate, OtherLayoutsAreRefusedByName) {
  const auto refuses = [](const Tokenizer& tokenizer, const std::string& words) {
    EXPECT_THAT(error_of([&] { ChatTemplate{tokenizer}; }), Refusal(ErrorKind::Model, words));
  };
  refuses(with_template(std::nullopt), "no chat template");
  refuses(with_template("{{ '[INST] ' + message['content'] + ' [/INST]' }}"), "Llama 2 or Mistral");
  refuses(with_template("{{ '<|start_header_id|>' + message['role'] }}"), "Llama 3");
  refuses(with_template("{{ '<start_of_turn>' }}"), "Gemma");
  refuses(
      with_template("{{ '<|im_start|>' + message['role'] + '\\n' + (message['content'] | upper) + '<|im_end|>\\n' }}"),
      "variant of ChatML");
  refuses(with_template("{{ message }}"), "without a mark");
  refuses(with_template(kPlain, false), "no tokens for these marks");
}

}  // namespace
}  // namespace assay::data
