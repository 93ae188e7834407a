// The safetensors format: 8 bytes of little-endian header length, a JSON header
//   {"__metadata__": {text: text}, name: {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, …},
// then the bytes of all tensors, row-major, without gaps or overlaps (offsets count from the end of the header).
// Reading maps the file: it costs the header alone, and a tensor's pages when they are touched. Every rule of the
// format is checked; the values themselves are not (NaN is a matter of the model).
#pragma once

#include <map>
#include <string>

#include "assay/core/error.h"
#include "assay/io/array.h"
#include "assay/io/atomic_file.h"

namespace assay::io {

struct Safetensors {
  Arrays tensors;
  std::map<std::string, std::string> metadata;
};

/// One file. Error(kind) by one sentence for each broken rule.
Safetensors read_safetensors(const std::string& path, ErrorKind kind);

/// A checkpoint folder: `model.safetensors`, or the shards that `model.safetensors.index.json` names (each tensor in
/// the shard it is mapped to and in no other; shard names stay inside the folder, the files may be symbolic links).
/// Metadata of shards is merged, later shards winning.
Safetensors read_safetensors_folder(const std::string& folder, ErrorKind kind);

/// Writes a file byte for byte as the reference implementation does: compact header padded with spaces to 8 bytes,
/// tensors by descending DType, then by name. Appears whole or not at all (AtomicFile). Error(Resource) where the disk
/// refuses, Error(Internal) for a tensor named "__metadata__".
FileDigest write_safetensors(const std::string& path, const Arrays& tensors,
                             const std::map<std::string, std::string>& metadata = {});

}  // namespace assay::io
