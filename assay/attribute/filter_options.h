// The filters by name: `bm25(10000)`. Free of LibTorch, for option tables.
#pragma once

#include <span>

#include "assay/core/factory.h"

namespace assay::attribute {

/// For parse_factory and help.
std::span<const FactorySpec> filter_table();

}  // namespace assay::attribute
