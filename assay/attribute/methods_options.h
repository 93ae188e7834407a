// The attribution methods by name, for the command line, recipes and help. Free of LibTorch: a mistyped method is
// refused before anything is loaded.
#pragma once

#include <span>
#include <string_view>

#include "assay/core/factory.h"

namespace assay::attribute {

std::span<const FactorySpec> method_table();

/// Whether scoring by it differentiates the model.
bool uses_gradients(const FactoryCall& method);
/// Whether it fits a curvature first.
bool fits_curvature(const FactoryCall& method);

/// Whether its scores predict by how much a removal changes the measurement, so that the size of the training counts.
bool predicts_changes(const FactoryCall& method);

/// Whether it reads a gradient index instead of walking over the documents.
bool reads_index(const FactoryCall& method);

/// Throws Error(Usage): the method of this name cannot tell tokens, layers or a document's reach on itself apart.
[[noreturn]] void refuse_parts(std::string_view method);
/// Throws Error(Usage): distances in an index have no parts.
[[noreturn]] void refuse_parts_of_l2();
/// Throws Error(Usage) where the method draws no labels, so that two draws cannot be compared.
void require_sampled_labels(const FactoryCall& method);

}  // namespace assay::attribute
