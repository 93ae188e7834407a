// GGUF, the one-file checkpoints of llama.cpp (versions 2 and 3, little-endian): metadata, then a table of tensors,
// then their bytes, aligned. Reading maps the file and checks every count, length, offset and alignment before it
// follows them. Tensors come as they lie in the file; `load` gives float32 or bfloat16. What the names mean is the
// model's business. Source: the format's description at github.com/ggml-org/ggml, docs/gguf.md.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "assay/io/array.h"
#include "assay/io/gguf_metadata.h"
#include "assay/io/gguf_quantization.h"
#include "assay/io/source.h"

namespace assay::io {

struct GgufTensor {
  std::string name;
  std::vector<int64_t> shape;  ///< row-major, the last size varies fastest: the reverse of the file's order
  GgmlType type;
  std::span<const std::byte> bytes;
};

class Gguf {
 public:
  /// Error(kind) by one sentence for each broken rule.
  static Gguf open(const std::string& path, ErrorKind kind);

  const GgufMetadata& metadata() const noexcept { return metadata_; }
  const std::map<std::string, GgufTensor, std::less<>>& tensors() const noexcept { return tensors_; }

  /// A tensor as float32, or as bfloat16 (rounded to nearest): the file's own bytes where they are of that type, else
  /// dequantised straight into memory of its own. Error where there is no such tensor (nearest names) or its type is
  /// one that Assay does not dequantise (it is named).
  Array load(std::string_view name, DType dtype = DType::F32) const;

 private:
  Gguf(Source source, std::shared_ptr<const void> file) : source_(std::move(source)), file_(std::move(file)) {}

  Source source_;
  std::shared_ptr<const void> file_;
  GgufMetadata metadata_;
  std::map<std::string, GgufTensor, std::less<>> tensors_;
};

}  // namespace assay::io
