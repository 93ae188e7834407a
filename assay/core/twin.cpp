#include "assay/core/twin.h"

#include <utility>

namespace assay {
namespace {
std::string active_twin;  // written by tests between runs only
}

bool twin_is_active(const char* name) noexcept {
  return active_twin == name;
}
ScopedTwin::ScopedTwin(std::string name) {
  active_twin = std::move(name);
}
ScopedTwin::~ScopedTwin() {
  active_twin.clear();
}

}  // namespace assay
