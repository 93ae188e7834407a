// assay generate: what the model says next. The text goes to standard output as it comes.
#include "assay/nn/generate.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>

#include "assay/core/error.h"
#include "assay/core/hash.h"
#include "assay/core/plan.h"
#include "assay/core/threads.h"
#include "assay/core/version.h"
#include "assay/data/chat.h"
#include "cli/commands.h"
#include "cli/loading.h"
#include "cli/result.h"

namespace assay::cli {
namespace {

/// The prompt as the model reads it, and the tokens that end its answer.
struct Prompt {
  std::string text;
  std::vector<int32_t> ids;
  std::vector<int32_t> stop;
};

Prompt make_prompt(const GenerateOptions& options, const data::Tokenizer& tokenizer) {
  Prompt prompt;
  prompt.text = options.prompt;
  if (tokenizer.eos()) prompt.stop.push_back(*tokenizer.eos());
  if (options.chat) {
    const data::ChatTemplate chat(tokenizer);
    std::vector<data::ChatMessage> messages;
    if (!options.system.empty()) messages.push_back({"system", options.system});
    messages.push_back({"user", options.prompt});
    prompt.text = chat.render(messages);
    prompt.stop.push_back(chat.end_of_message());
  }
  prompt.ids = tokenizer.encode(prompt.text);
  if (!options.chat && data::adds_bos(tokenizer, data::BosPolicy::Auto))
    prompt.ids.insert(prompt.ids.begin(), *tokenizer.bos());
  if (prompt.ids.empty()) {
    throw Error(ErrorKind::Data,
                "reading --prompt: it must hold a token, but it is empty and this tokenizer begins no text "
                "with one of its own; give at least a letter");
  }
  return prompt;
}

/// Prints text as tokens arrive, never half of a UTF-8 character.
class Printer {
 public:
  Printer(const data::Tokenizer& tokenizer, bool is_silent) : tokenizer_(tokenizer), is_silent_(is_silent) {}

  void add(int32_t id) {
    ids_.push_back(id);
    const std::string text = tokenizer_.decode(ids_, {.keep_special = true, .is_continuation = true});
    const size_t whole = complete_length(text);
    if (whole > printed_) print(text.substr(printed_, whole - printed_));
    printed_ = std::max(printed_, whole);
  }

  std::string text() const { return tokenizer_.decode(ids_, {.keep_special = true, .is_continuation = true}); }

  void finish() {
    const std::string all = text();
    print(all.substr(printed_) + "\n");
  }

 private:
  /// Bytes up to the last character that is whole.
  static size_t complete_length(const std::string& text) {
    size_t lead = text.size();
    for (int back = 0; back < 4 && lead > 0; ++back) {
      const auto byte = static_cast<unsigned char>(text[--lead]);
      if ((byte & 0xC0) == 0x80) continue;
      const size_t length = byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
      return lead + length <= text.size() ? text.size() : lead;
    }
    return text.size();
  }

  void print(const std::string& text) const {
    if (is_silent_) return;
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  }

  const data::Tokenizer& tokenizer_;
  bool is_silent_;
  std::vector<int32_t> ids_;
  size_t printed_ = 0;
};

/// Every new token reads all weights once; the prompt multiplies them.
Cost generation_cost(const nn::Model& model, int64_t prompt_tokens, int64_t new_tokens) {
  constexpr double kCallsPerBlock = 40;
  const double weights = static_cast<double>(model.parameters().count());
  const double number_bytes = model.dtype() == at::kDouble ? 8 : 4;
  const double flops = 2 * weights * static_cast<double>(prompt_tokens + new_tokens);
  Cost cost{
      .bytes_moved = number_bytes * weights * static_cast<double>(new_tokens),
      .operator_calls = kCallsPerBlock * static_cast<double>(model.architecture().facts().blocks * (new_tokens + 1)),
      .peak_bytes = resident_bytes()};
  (model.dtype() == at::kDouble ? cost.flops_fp64 : cost.flops) = flops;
  return cost;
}

}  // namespace

void run(const GenerateOptions& options, Session& session) {
  const data::Tokenizer tokenizer = data::load_tokenizer(options.model);
  const Prompt prompt = make_prompt(options, tokenizer);
  const nn::Checkpoint checkpoint = nn::load_checkpoint(options.model, dtype_of(options.common));
  data::require_tokenizer_fits(tokenizer, checkpoint.model.architecture().facts().vocabulary);

  const Cost cost = generation_cost(checkpoint.model, static_cast<int64_t>(prompt.ids.size()), options.max_tokens);
  if (stops_at_plan(session, "generate", cost)) return;

  Printer printer(tokenizer, options.common.json);
  const auto started = std::chrono::steady_clock::now();
  const std::vector<int32_t> ids = nn::generate(checkpoint.model, prompt.ids,
                                                {.max_tokens = options.max_tokens,
                                                 .temperature = options.temperature,
                                                 .top_k = options.top_k,
                                                 .top_p = options.top_p,
                                                 .seed = static_cast<uint64_t>(options.common.seed),
                                                 .stop = prompt.stop,
                                                 .usable_vocabulary = tokenizer.vocabulary_size()},
                                                [&](int32_t id) {
                                                  printer.add(id);
                                                  session.progress.advance(1);
                                                  return true;
                                                });
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  if (!options.common.json) printer.finish();
  if (!options.common.json)
    session.progress.note(fmt::format("{} tokens in {} ({:.1f}/s)", ids.size(), format_seconds(seconds),
                                      static_cast<double>(ids.size()) / seconds));
  nlohmann::ordered_json result = result_head(session.invocation);
  result["model"] = {{"path", checkpoint.path}, {"hash", checkpoint.hash}};
  result["prompt"] = prompt.text;
  result["prompt_ids"] = prompt.ids;
  result["ids"] = ids;
  result["text"] = printer.text();
  result["seconds"] = seconds;
  Hasher identity;
  identity.add("generate").add(version()).add(checkpoint.hash);
  for (const int32_t id : prompt.ids) identity.add(static_cast<uint64_t>(id));
  for (const int32_t id : ids) identity.add(static_cast<uint64_t>(id));
  keep_result(session, identity.digest128(), result);
  if (options.common.json) print_json(result);
}

}  // namespace assay::cli
