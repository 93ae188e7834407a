#include "assay/nn/generate.h"

#include <ATen/core/grad_mode.h>
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "assay/core/error.h"
#include "assay/core/machine.h"
#include "assay/core/philox.h"
#include "assay/core/twin.h"

namespace assay::nn {
namespace {

int32_t likeliest(const std::vector<double>& logits) {
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());  // the first of equals
}

// Ids that sampling may choose, likeliest first, with unnormalised probabilities.
std::vector<std::pair<double, int32_t>> candidates(const std::vector<double>& logits, const GenerateOptions& options) {
  const double highest = *std::max_element(logits.begin(), logits.end());
  std::vector<std::pair<double, int32_t>> ranked(logits.size());
  for (size_t i = 0; i < logits.size(); ++i)
    ranked[i] = {std::exp((logits[i] - highest) / options.temperature), static_cast<int32_t>(i)};
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  if (options.top_k > 0) ranked.resize(std::min(ranked.size(), static_cast<size_t>(options.top_k)));
  double total = 0;
  for (const auto& [weight, id] : ranked) total += weight;
  double sum = 0;
  for (size_t i = 0; i < ranked.size(); ++i) {
    sum += ranked[i].first;
    if (sum >= options.top_p * total) {
      ranked.resize(i + 1);
      break;
    }
  }
  return ranked;
}

int32_t choose(const std::vector<double>& logits, const GenerateOptions& options, size_t prompt, int64_t position) {
  if (options.temperature <= 0) return likeliest(logits);
  const auto ranked = candidates(logits, options);
  double total = 0;
  for (const auto& [weight, id] : ranked) total += weight;
  double level = random_uniform(options.seed, stream_of("generate") + prompt, static_cast<uint64_t>(position)) * total;
  for (const auto& [weight, id] : ranked) {
    level -= weight;
    if (level < 0) return id;
  }
  return ranked.back().second;
}

/// Of the last position of every row: [B,V] float64.
at::Tensor last_logits(const Output& output) {
  const at::Tensor last = output.hidden.select(1, output.hidden.size(1) - 1);
  return Output{output.kind, last, output.head}.logits().to(at::kDouble).contiguous();
}

std::vector<double> usable_logits(const at::Tensor& logits, int64_t usable) {
  const bool all = usable <= 0 || ASSAY_TWIN("nn.padded_vocabulary_chosen");
  const int64_t count = all ? logits.numel() : std::min(usable, logits.numel());
  const std::vector<double> numbers(logits.const_data_ptr<double>(), logits.const_data_ptr<double>() + count);
  const auto wrong = std::find_if(numbers.begin(), numbers.end(), [](double x) { return !std::isfinite(x); });
  if (wrong != numbers.end() && !ASSAY_TWIN("nn.logits_not_finite")) {
    throw Error(
        ErrorKind::Numeric,
        fmt::format("generating text: the model's logits must be finite, but that of token {} is {}; try --dtype "
                    "fp64, which has the wider range, or another checkpoint",
                    wrong - numbers.begin(), std::isnan(*wrong) ? "not a number" : "infinite"));
  }
  return numbers;
}

}  // namespace

void require_fits(const Model& model, int64_t prompt_tokens, int64_t max_tokens) {
  const int64_t context = model.architecture().facts().context, left = std::max<int64_t>(0, context - prompt_tokens);
  if (max_tokens <= left && prompt_tokens <= context) return;  // no sum: it may be beyond 64 bits
  throw Error(ErrorKind::Usage,
              fmt::format("generating text: prompt and --max-tokens must fit the model's context of {} tokens, and "
                          "{} + {} do not; ask for at most {} tokens",
                          context, prompt_tokens, max_tokens, left));
}

Cost generation_cost(const Model& model, int64_t prompt_tokens, int64_t max_tokens) {
  constexpr double kCallsPerBlock = 40;
  const double weights = static_cast<double>(model.parameters().count());
  const double flops = 2 * weights * static_cast<double>(prompt_tokens + max_tokens);
  Cost cost{
      .bytes_moved = static_cast<double>(model.parameters().bytes()) * static_cast<double>(max_tokens),
      .operator_calls = kCallsPerBlock * static_cast<double>(model.architecture().facts().blocks * (max_tokens + 1)),
      .peak_bytes = resident_bytes()};
  products_of(model, cost) = flops;
  return cost;
}

std::vector<int32_t> generate(const Model& model, std::span<const int32_t> prompt, const GenerateOptions& options,
                              const std::function<bool(int32_t)>& on_token) {
  const auto watch = [&](size_t, int32_t token) { return !on_token || on_token(token); };
  return generate_all(model, {{prompt.begin(), prompt.end()}}, options, watch)[0];
}

std::vector<std::vector<int32_t>> generate_all(const Model& model, const std::vector<std::vector<int32_t>>& prompts,
                                               const GenerateOptions& options,
                                               const std::function<bool(size_t prompt, int32_t token)>& on_token) {
  for (const auto& prompt : prompts) require_fits(model, std::ssize(prompt), options.max_tokens);
  const at::NoGradGuard no_history;
  std::vector<std::vector<int32_t>> texts(prompts.size()), next = prompts;
  std::vector<bool> ended(prompts.size(), prompts.empty() || options.max_tokens <= 0);
  KeyValueCache cache;
  while (std::find(ended.begin(), ended.end(), false) != ended.end()) {
    const Run run = model.run(data::prompt_batch(next), {}, {.cache = &cache, .first_block = 0, .state = {}});
    const at::Tensor logits = last_logits(run.output);
    for (size_t i = 0; i < prompts.size(); ++i) {
      if (ended[i]) continue;  // its column is filled with what it had last; nobody looks at it
      const int32_t token = choose(usable_logits(logits[static_cast<int64_t>(i)], options.usable_vocabulary), options,
                                   i, std::ssize(prompts[i]) + std::ssize(texts[i]));
      if (std::find(options.stop.begin(), options.stop.end(), token) != options.stop.end()) {
        ended[i] = true;
      } else {
        texts[i].push_back(token);
        ended[i] = (on_token && !on_token(i, token)) || std::ssize(texts[i]) >= options.max_tokens;
      }
      next[i] = {token};
    }
    for (auto& tokens : next) tokens = {tokens.back()};
  }
  return texts;
}

}  // namespace assay::nn
