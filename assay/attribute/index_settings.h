// How a gradient index is made: what decides its numbers, by name. Free of LibTorch, for option tables.
#pragma once

#include <cstdint>
#include <string>

namespace assay::attribute {

enum class ProjectionKind {
  Random,     ///< N(0, 1/r) from the seed
  Principal,  ///< strongest eigenvectors of the covariances; one more walk over the documents, before
};

/// What of the projected gradients is measured, to weigh them with.
enum class IndexCurvature {
  Raw,    ///< the second moment of a layer's whole Z, dense
  Kfac,   ///< Kronecker factors of the projected inputs and output gradients
  Ekfac,  ///< the same eigenvectors with eigenvalues measured in them
};

/// How the numbers of a row lie on disk.
enum class RowType {
  Float64,
  Float32,
  BFloat16,
  Float16,  ///< with a scale a row and layer
  Int8,     ///< with a scale a row and layer
};

struct IndexSettings {
  ProjectionKind projection = ProjectionKind::Random;
  int64_t rank_out = 16, rank_in = 16;
  uint64_t seed = 0;  ///< of random projections
  IndexCurvature curvature = IndexCurvature::Raw;
  RowType rows = RowType::Float32;
};

const char* to_string(ProjectionKind kind) noexcept;       ///< "random", "pca"
const char* to_string(IndexCurvature kind) noexcept;       ///< "raw", "kfac", "ekfac"
const char* to_string(RowType type) noexcept;              ///< "fp64", "fp32", "bf16", "fp16", "int8"
ProjectionKind projection_named(const std::string& name);  ///< Error(Data) where there is none of this name
IndexCurvature curvature_named(const std::string& name);
RowType row_type_named(const std::string& name);

/// Bytes of one number of a row, and of the scale of a layer of it (0: there is none).
int64_t bytes_of_number(RowType type) noexcept;
int64_t bytes_of_scale(RowType type) noexcept;

}  // namespace assay::attribute
