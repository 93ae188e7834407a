#include "assay/nn/families/families.h"

#include <array>
#include <nlohmann/json.hpp>

#include "assay/core/near_match.h"

namespace assay::nn {
namespace {

struct Family {
  const char* model_type;
  std::shared_ptr<const Architecture> (*make)(const io::JsonObject&);
};

constexpr std::array kFamilies{Family{"llama", make_llama}, Family{"mlp", make_mlp}};

}  // namespace

std::shared_ptr<const Architecture> make_architecture(const nlohmann::json& config, const io::Source& source) {
  const io::JsonObject object(config, source);
  const std::string model_type = object.text("model_type");
  std::vector<std::string> known;
  for (const Family& family : kFamilies) {
    if (model_type == family.model_type) return family.make(object);
    known.push_back(family.model_type);
  }
  object.refuse("model_type",
                "one of the families that Assay has (llama, mlp" + closest_clause(model_type, known) + ")");
}

}  // namespace assay::nn
