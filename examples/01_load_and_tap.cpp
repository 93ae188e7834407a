// 1. Load a model, look inside, change something.
//
//   build/examples/01_load_and_tap MODEL 'Once upon a time'
//
// Prints the model's best next tokens, then the same with one attention block switched off.
#include <ATen/core/grad_mode.h>
#include <fmt/core.h>

#include "assay/core/error.h"
#include "assay/data/tokenizer.h"
#include "assay/nn/checkpoint.h"

namespace {

using namespace assay;

void print_best(const char* label, const nn::Run& run, const data::Tokenizer& tokenizer) {
  const at::Tensor log_p = run.output.logits()[0][-1].log_softmax(0);
  const auto [values, ids] = log_p.topk(3);
  fmt::print("{:<28}", label);
  for (int64_t i = 0; i < 3; ++i) {
    fmt::print("  {:5.1f} % \"{}\"", 100 * values[i].exp().item<double>(),
               tokenizer.token_text(ids[i].item<int32_t>()));
  }
  fmt::print("\n");
}

void look(const std::string& folder, const std::string& prompt) {
  const nn::Checkpoint checkpoint = nn::load_checkpoint(folder);
  const data::Tokenizer tokenizer = data::load_tokenizer(folder);
  std::vector<int32_t> ids = tokenizer.encode(prompt);
  if (tokenizer.adds_bos()) ids.insert(ids.begin(), *tokenizer.bos());
  const data::Batch batch = data::prompt_batch(ids);

  // A model is const; what is read or changed belongs to one run.
  const nn::Run plain = checkpoint.model.run(batch, nn::Taps{}.record("blocks.*.hook_resid_post"));
  print_best("as trained", plain, tokenizer);
  for (const auto& [site, residual] : plain.recording->values) {
    fmt::print("  {:<26}  mean norm {:.2f}\n", site, residual.norm(2, -1).mean().item<double>());
  }

  const at::Tensor nothing = at::Tensor(plain.value("blocks.0.hook_resid_post")).mul(0);
  print_best("without block 1's attention",
             checkpoint.model.run(batch, nn::Taps{}.replace("blocks.1.hook_attn_out", nothing)), tokenizer);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    fmt::print(stderr, "usage: 01_load_and_tap MODEL PROMPT\n");
    return 2;
  }
  try {
    const at::NoGradGuard no_gradients;
    look(arguments[1], arguments[2]);
    return 0;
  } catch (const assay::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return error.exit_code();
  }
}
