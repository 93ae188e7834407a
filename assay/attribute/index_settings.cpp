#include "assay/attribute/index_settings.h"

#include <array>
#include <utility>
#include <vector>

#include "assay/core/error.h"
#include "assay/core/near_match.h"

namespace assay::attribute {
namespace {

constexpr std::array<std::pair<ProjectionKind, const char*>, 2> kProjections{
    {{ProjectionKind::Random, "random"}, {ProjectionKind::Principal, "pca"}}};
constexpr std::array<std::pair<IndexCurvature, const char*>, 3> kCurvatures{
    {{IndexCurvature::Raw, "raw"}, {IndexCurvature::Kfac, "kfac"}, {IndexCurvature::Ekfac, "ekfac"}}};
constexpr std::array<std::pair<RowType, const char*>, 5> kRowTypes{{{RowType::Float64, "fp64"},
                                                                    {RowType::Float32, "fp32"},
                                                                    {RowType::BFloat16, "bf16"},
                                                                    {RowType::Float16, "fp16"},
                                                                    {RowType::Int8, "int8"}}};

template <typename Table, typename Value>
const char* name_in(const Table& table, Value value) noexcept {
  for (const auto& [known, name] : table) {
    if (known == value) return name;
  }
  return "";
}

template <typename Table>
auto value_in(const Table& table, const std::string& name, const char* what) {
  std::vector<std::string> known;
  for (const auto& [value, each] : table) {
    if (name == each) return value;
    known.emplace_back(each);
  }
  throw Error(ErrorKind::Data, std::string("reading a gradient index: its ") + what +
                                   " must be one that this version knows, but \"" + name + "\" is none" +
                                   closest_clause(name, known) + "; make the index again");
}

}  // namespace

const char* to_string(ProjectionKind kind) noexcept {
  return name_in(kProjections, kind);
}
const char* to_string(IndexCurvature kind) noexcept {
  return name_in(kCurvatures, kind);
}
const char* to_string(RowType type) noexcept {
  return name_in(kRowTypes, type);
}

ProjectionKind projection_named(const std::string& name) {
  return value_in(kProjections, name, "projection");
}
IndexCurvature curvature_named(const std::string& name) {
  return value_in(kCurvatures, name, "curvature");
}
RowType row_type_named(const std::string& name) {
  return value_in(kRowTypes, name, "type of rows");
}

int64_t bytes_of_number(RowType type) noexcept {
  switch (type) {
    case RowType::Float64: return 8;
    case RowType::Float32: return 4;
    case RowType::BFloat16:
    case RowType::Float16: return 2;
    case RowType::Int8: return 1;
  }
  return 4;
}

int64_t bytes_of_scale(RowType type) noexcept {
  return type == RowType::Float16 || type == RowType::Int8 ? 4 : 0;
}

}  // namespace assay::attribute
