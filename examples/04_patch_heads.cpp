// 4. Find the attention heads that carry an answer, by putting what they computed for one prompt into the run of
// another.
//
//   build/examples/04_patch_heads MODEL 'When Mary and John went to the store, John gave a drink to'
//                                       'When Mary and John went to the store, Mary gave a drink to' ' Mary' ' John'
//
// Both prompts must have the same number of tokens. Positive: the head carries what makes the first prompt prefer the
// first answer.
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <fmt/core.h>

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "assay/core/error.h"
#include "assay/data/tokenizer.h"
#include "assay/nn/checkpoint.h"

namespace {

using namespace assay;

struct Effect {
  double share;
  int64_t block, head;
};

void patch(const std::string& folder, const std::string& clean, const std::string& corrupted, const std::string& right,
           const std::string& wrong) {
  const at::NoGradGuard no_gradients;
  const nn::Model model = nn::load_checkpoint(folder).model;
  const data::Tokenizer tokenizer = data::load_tokenizer(folder);
  const data::Batch good = data::prompt_batch(tokenizer.encode(clean)),
                    bad = data::prompt_batch(tokenizer.encode(corrupted));
  if (good.positions() != bad.positions()) {
    throw Error(ErrorKind::Usage,
                fmt::format("comparing two prompts: they must have the same number of tokens, and have {} and "
                            "{}; change one of them",
                            good.positions(), bad.positions()));
  }
  const int64_t yes = tokenizer.encode(right).front(), no = tokenizer.encode(wrong).front();
  const auto preference = [&](const nn::Run& run) {
    const at::Tensor last = run.output.logits()[0][-1];
    return (last[yes].item<double>() - last[no].item<double>());
  };
  // One run of the first prompt keeps what every head wrote into the stream, before the heads are added up.
  const nn::Run kept = model.run(good, nn::Taps{}.record("*.attn.hook_z"));
  const double from = preference(model.run(bad)), whole = preference(kept) - from;
  fmt::print("logit difference: {:.3f} for the first prompt, {:.3f} for the second\n", from + whole, from);

  std::vector<Effect> effects;
  const nn::Facts facts = model.architecture().facts();
  for (int64_t block = 0; block < facts.blocks; ++block) {
    const std::string site = fmt::format("blocks.{}.attn.hook_z", block);
    for (int64_t head = 0; head < facts.heads; ++head) {
      const auto swap = [&](const at::Tensor& z, const nn::Recording&) {  // [B,T,H,K]
        at::Tensor changed = z.clone();
        changed.select(2, head).copy_(kept.value(site).select(2, head));
        return changed;
      };
      effects.push_back({(preference(model.run(bad, nn::Taps{}.edit(site, swap))) - from) / whole, block, head});
    }
  }
  std::sort(effects.begin(), effects.end(), [](const Effect& a, const Effect& b) { return a.share > b.share; });
  for (const Effect& effect : std::span(effects).first(std::min<size_t>(8, effects.size())))
    fmt::print("block {:>2}, head {:>2}: brings back {:5.1f} %\n", effect.block, effect.head, 100 * effect.share);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 6) {
    fmt::print(stderr, "usage: 04_patch_heads MODEL PROMPT OTHER-PROMPT ANSWER OTHER-ANSWER\n");
    return 2;
  }
  try {
    patch(arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
    return 0;
  } catch (const assay::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return error.exit_code();
  }
}
