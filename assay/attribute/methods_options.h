// The attribution methods by name, for the command line, recipes and help. Free of LibTorch: a mistyped method is
// refused before anything is loaded.
#pragma once

#include <span>

#include "assay/core/factory.h"

namespace assay::attribute {

std::span<const FactorySpec> method_table();

}  // namespace assay::attribute
