#include "assay/nn/families/families.h"

#include <fmt/format.h>

#include <array>

#include "assay/core/near_match.h"

namespace assay::nn {
namespace {

struct Family {
  const char* model_type;
  std::shared_ptr<const Architecture> (*make)(const io::JsonObject&);
};

constexpr std::array kFamilies{Family{"gpt2", make_gpt2},         Family{"gpt_neo", make_gpt_neo},
                               Family{"gpt_neox", make_gpt_neox}, Family{"llama", make_llama},
                               Family{"mlp", make_mlp},           Family{"qwen2", make_qwen2}};

}  // namespace

std::shared_ptr<const Architecture> make_architecture(const nlohmann::json& config, const io::Source& source) {
  const io::JsonObject object(config, source);
  const std::string model_type = object.text("model_type");
  std::vector<std::string> known;
  for (const Family& family : kFamilies) {
    if (model_type == family.model_type) return family.make(object);
    known.push_back(family.model_type);
  }
  const bool is_written_by_hand = source.kind == ErrorKind::Usage;  // in a recipe, where a letter may be wrong
  std::string closest = closest_clause(model_type, known);
  if (!closest.empty()) closest.erase(0, closest.find_first_not_of("; "));
  object.refuse("model_type", fmt::format("one of the families that Assay has ({})", fmt::join(known, ", ")),
                is_written_by_hand ? closest : "take a model of one of these families");
}

}  // namespace assay::nn
