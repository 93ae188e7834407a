// Parquet in a build without the Arrow library: nothing of it can be read (parquet_arrow.cpp stands here otherwise).
#include "assay/core/error.h"
#include "assay/data/parquet_rows.h"

namespace assay::data {

struct ParquetRows::State {
  io::Source source;
  io::FileState file;
};

std::string arrow_version() {
  return "";
}

ParquetRows::ParquetRows(const std::string& path, const std::string& shown, const std::vector<std::string>&)
    : state_(new State{.source = {.name = shown.empty() ? path : shown}, .file = {}}) {
  state_->source.refuse("a Parquet file must be read by the Arrow library, but this build of Assay has none");
}

ParquetRows::~ParquetRows() = default;

bool ParquetRows::next() {
  return false;
}

std::string_view ParquetRows::text(size_t) const {
  return {};
}

int64_t ParquetRows::number() const {
  return 0;
}

void ParquetRows::go_to(int64_t) {}

int64_t ParquetRows::rows() const {
  return 0;
}

const io::FileState& ParquetRows::file() const {
  return state_->file;
}

uint64_t ParquetRows::end_of_read() const {
  return 0;
}

const io::Source& ParquetRows::source() const {
  return state_->source;
}

}  // namespace assay::data
