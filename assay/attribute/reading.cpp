#include "assay/attribute/reading.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/topk.h>

#include <algorithm>
#include <cmath>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/data/batch.h"

namespace assay::attribute {

std::vector<TokenReading> read_tokens(const nn::Model& model, const data::Example& example, int64_t alternatives,
                                      int64_t usable_vocabulary) {
  ASSAY_ASSERT(!example.tokens.empty());
  std::vector<TokenReading> readings(example.tokens.size());
  for (size_t t = 0; t < readings.size(); ++t) readings[t].id = example.tokens[t];
  if (readings.size() == 1) return readings;

  const at::NoGradGuard no_history;
  const at::Tensor log_p =
      model.run(data::prompt_batch(example.tokens)).output.logits()[0].to(at::kDouble).log_softmax(-1);
  const bool is_padded = usable_vocabulary > 0 && !ASSAY_TWIN("attribute.padding_is_read");
  const int64_t usable = is_padded ? std::min(usable_vocabulary, log_p.size(1)) : log_p.size(1);
  const auto [values, ids] = log_p.narrow(1, 0, usable).topk(std::min(alternatives, usable), -1);
  for (size_t t = 1; t < readings.size(); ++t) {
    const auto place = static_cast<int64_t>(t) - 1;
    TokenReading& reading = readings[t];
    reading.log_probability = log_p[place][reading.id].item<double>();
    bool has_itself = false;
    for (int64_t k = 0; k < ids.size(1); ++k) {
      const auto id = static_cast<int32_t>(ids[place][k].item<int64_t>());
      reading.alternatives.push_back({id, std::exp(values[place][k].item<double>())});
      has_itself = has_itself || id == reading.id;
    }
    if (!has_itself) reading.alternatives.push_back({reading.id, std::exp(reading.log_probability)});
  }
  return readings;
}

}  // namespace assay::attribute
