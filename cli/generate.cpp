// assay generate: what the model says next. The text goes to standard output as it comes.
#include "assay/nn/generate.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>

#include "assay/core/error.h"
#include "assay/core/hash.h"
#include "assay/core/plan.h"
#include "assay/core/version.h"
#include "assay/data/chat.h"
#include "cli/commands.h"
#include "cli/loading.h"
#include "cli/planning.h"
#include "cli/result.h"
#include "cli/result_folder.h"

namespace assay::cli {
namespace {

/// The prompt as the model reads it, and the tokens that end its answer.
struct Prompt {
  std::string text;
  std::vector<int32_t> ids;
  std::vector<int32_t> stop;
  std::string bos;  ///< what was done about it, and why
};

Prompt make_prompt(const GenerateOptions& options, const data::Tokenizer& tokenizer) {
  if (options.chat && options.begin_token != BeginToken::Auto) {
    throw Error(ErrorKind::Usage,
                "reading --bos: with --chat the template says how a text begins, but --bos is given, too; leave one of "
                "them out");
  }
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
  const data::BosPolicy policy = bos_policy(options.begin_token);
  prompt.bos = options.chat ? "as the chat template says" : data::bos_reason(tokenizer, policy);
  if (!options.chat && data::adds_bos(tokenizer, policy)) prompt.ids.insert(prompt.ids.begin(), *tokenizer.bos());
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

/// Everything that decides the text.
std::string identity_of(const GenerateOptions& options, const nn::Checkpoint& checkpoint,
                        const data::Tokenizer& tokenizer, const Prompt& prompt) {
  Hasher hasher;
  hasher.add("generate").add(version()).add(checkpoint.hash).add(tokenizer.hash());
  for (const auto& ids : {prompt.ids, prompt.stop}) {
    hasher.add(static_cast<uint64_t>(ids.size()));
    for (const int32_t id : ids) hasher.add(static_cast<uint64_t>(id));
  }
  hasher.add(options.temperature).add(options.top_p);
  for (const int64_t number :
       {options.max_tokens, options.top_k, options.common.seed, static_cast<int64_t>(options.common.precision)}) {
    hasher.add(static_cast<uint64_t>(number));
  }
  return hasher.digest128();
}

nlohmann::ordered_json generation_json(const Session& session, const nn::Checkpoint& checkpoint,
                                       const data::Tokenizer& tokenizer, const Prompt& prompt,
                                       const std::vector<int32_t>& ids, const std::string& text) {
  nlohmann::ordered_json result = result_head(session.invocation);
  result["model"] = {{"path", checkpoint.path}, {"hash", checkpoint.hash}};
  result["tokenizer"] = {{"kind", tokenizer.description()}, {"hash", tokenizer.hash()}};
  result["prompt"] = prompt.text;
  result["prompt_ids"] = prompt.ids;
  result["bos_reason"] = prompt.bos;
  result["ids"] = ids;
  result["text"] = text;
  return result;
}

}  // namespace

void run(const GenerateOptions& options, Session& session) {
  const data::Tokenizer tokenizer = data::load_tokenizer(options.model);
  const Prompt prompt = make_prompt(options, tokenizer);
  const nn::Checkpoint checkpoint = nn::load_checkpoint(options.model, dtype_of(options.common));
  data::require_tokenizer_fits(tokenizer, checkpoint.model.architecture().facts().vocabulary);

  const auto prompt_tokens = static_cast<int64_t>(prompt.ids.size());
  nn::require_fits(checkpoint.model, prompt_tokens, options.max_tokens);  // before a plan of what would be refused
  const Cost cost = nn::generation_cost(checkpoint.model, prompt_tokens, options.max_tokens);
  if (stops_at_plan(session, "generate", cost)) return;

  const std::string warning = beyond_training(checkpoint.model.architecture(), prompt_tokens + options.max_tokens,
                                              "a shorter prompt or fewer --max-tokens keep within");
  if (!warning.empty()) session.progress.note(warning);
  const auto folder = claim_out(session, identity_of(options, checkpoint, tokenizer, prompt));
  session.progress.note(fmt::format("{}; BOS: {}", format_counted(prompt_tokens, "token"), prompt.bos));
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
    session.progress.note(fmt::format("{} in {} ({:.1f}/s)", format_counted(std::ssize(ids), "token"),
                                      format_seconds(seconds), static_cast<double>(ids.size()) / seconds));
  nlohmann::ordered_json result = generation_json(session, checkpoint, tokenizer, prompt, ids, printer.text());
  result["cost"]["actual"] = actual_cost(seconds, folder ? folder->bytes() : 0);
  if (options.common.json) print_json(result);  // first: a disk that is full now must not cost the text
  if (folder) folder->write_result(result);
}

}  // namespace assay::cli
