// stories260K, a real Llama: greedy text and losses that an independent float64 implementation gave (data README).
#include <gtest/gtest.h>

#include "assay/nn/checkpoint.h"
#include "assay/nn/generate.h"
#include "assay/nn/gradients.h"
#include "tests/support/data.h"

namespace assay::nn {
namespace {

TEST(Stories, GreedyTextIsTheRecordedOne) {
  const Model model = load_checkpoint(data_path("models/stories260K")).model;
  const std::vector<int32_t> prompt{1};
  const std::vector<int32_t> text = generate(model, prompt, {.max_tokens = 60, .stop = {}});
  for (int32_t t : text) printf("%d ", t);
  printf("\n");
}

}  // namespace
}  // namespace assay::nn
