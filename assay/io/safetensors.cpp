#include "assay/io/safetensors.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "assay/core/near_match.h"
#include "assay/core/twin.h"
#include "assay/io/json.h"
#include "assay/io/mapped_file.h"
#include "assay/io/source.h"

namespace assay::io {
namespace {

constexpr size_t kLengthBytes = 8;
constexpr uint64_t kLongestHeader = 100'000'000;  // the reference implementation's limit
constexpr const char* kMetadata = "__metadata__";
constexpr const char* kFetchAll = "fetch the whole checkpoint again";

Source source_of(const std::string& name, ErrorKind kind) {
  return {.name = name, .kind = kind, .first_line = 1, .advice = "fetch or write the file again"};
}

/// A tensor's place, as the header states it; offsets count from the end of the header.
struct TensorEntry {
  std::string name;
  DType dtype;
  std::vector<int64_t> shape;
  uint64_t begin;
  uint64_t end;
};

std::string header_text(std::span<const std::byte> file, const Source& source) {
  const std::string found = "but the file has " + std::to_string(file.size()) + " bytes";
  if (file.size() < kLengthBytes)
    source.refuse("a safetensors file must begin with 8 bytes of header length, " + found);
  uint64_t length = 0;
  std::memcpy(&length, file.data(), kLengthBytes);
  const std::string states = "its header length is " + std::to_string(length);
  if (length > kLongestHeader) {
    source.refuse("the header of a safetensors file must be at most 100,000,000 bytes long, but " + states +
                  "; this is probably another kind of file");
  }
  if (length > file.size() - kLengthBytes) {
    source.refuse("the header must end inside the file, but " + states + " in " + std::to_string(file.size()) +
                  " bytes; the file is cut off, fetch it again");
  }
  const auto* start = reinterpret_cast<const char*>(file.data()) + kLengthBytes;
  if (length == 0 || *start != '{') {
    source.refuse(
        "the header of a safetensors file must begin with '{', but it does not; this is another kind of file");
  }
  return {start, static_cast<size_t>(length)};
}

std::map<std::string, std::string> read_metadata(const Json& header, const Source& source) {
  std::map<std::string, std::string> metadata;
  if (!header.contains(kMetadata)) return metadata;
  const Json& values = header[kMetadata];
  if (!values.is_object()) source.refuse("\"__metadata__\" must be an object of texts, but it is " + brief(values));
  for (const auto& [key, value] : values.items()) {
    if (!value.is_string())
      source.refuse("\"__metadata__\" must hold texts only, but " + quote(key) + " is " + brief(value));
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

DType read_dtype(const std::string& tensor, const JsonObject& fields, const Source& source) {
  const std::string name = fields.text("dtype");
  if (const std::optional<DType> dtype = dtype_named(name)) return *dtype;
  std::vector<std::string> known;
  std::string list;
  for (int i = 0; i <= static_cast<int>(DType::U64); ++i) {
    known.emplace_back(to_string(static_cast<DType>(i)));
    list += (i == 0 ? "" : ", ") + known.back();
  }
  source.refuse("tensor " + quote(tensor) + " must have a dtype that Assay reads (" + list + "), but it has " +
                quote(name) + closest_clause(name, known));
}

TensorEntry read_entry(const std::string& name, const Json& value, const Source& source) {
  Source place = source;
  place.name += ": " + name;
  const JsonObject fields(value, place);
  fields.refuse_unknown({"dtype", "shape", "data_offsets"});
  TensorEntry entry{name, read_dtype(name, fields, source), fields.integers("shape"), 0, 0};
  const std::vector<int64_t> offsets = fields.integers("data_offsets");
  if (offsets.size() != 2 || offsets[0] < 0 || offsets[1] < offsets[0]) {
    fields.refuse("data_offsets", "two offsets [begin, end] with 0 <= begin <= end");
  }
  entry.begin = static_cast<uint64_t>(offsets[0]);
  entry.end = static_cast<uint64_t>(offsets[1]);

  const std::optional<int64_t> count = element_count(entry.shape);
  const auto item = static_cast<int64_t>(size_of(entry.dtype));
  if (!count || *count > std::numeric_limits<int64_t>::max() / item) {
    fields.refuse("shape", "a list of sizes that are not negative and whose product fits 63 bits");
  }
  const auto needed = static_cast<uint64_t>(*count * item);
  if (needed != entry.end - entry.begin) {
    source.refuse("tensor " + quote(name) + " of " + to_string(entry.dtype) + " " + shape_to_string(entry.shape) +
                  " must take " + std::to_string(needed) + " bytes, but its data_offsets span " +
                  std::to_string(entry.end - entry.begin));
  }
  return entry;
}

/// Every byte after the header belongs to exactly one tensor.
void check_tiling(std::vector<TensorEntry>& entries, uint64_t data_bytes, const Source& source) {
  std::sort(entries.begin(), entries.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  uint64_t covered = 0;
  for (const TensorEntry& entry : entries) {
    const bool gap = entry.begin > covered && !ASSAY_TWIN("io.safetensors_gap_unchecked");
    if (gap || entry.begin < covered) {
      source.refuse("tensors must lie one after the other, but " + quote(entry.name) + " begins at byte " +
                    std::to_string(entry.begin) + " where " + std::to_string(covered) + " is next, which leaves " +
                    (gap ? "a gap" : "an overlap") + "; the file is damaged, fetch it again");
    }
    covered = entry.end;
  }
  if (covered != data_bytes) {
    source.refuse("the tensors must fill the file, but they take " + std::to_string(covered) + " of " +
                  std::to_string(data_bytes) + " bytes after the header; the file is " +
                  (covered > data_bytes ? "cut off" : "too long") + ", fetch it again");
  }
}

/// The reference writer aligns tensors; a file of another writer may not, and then the bytes are copied once.
Array make_aligned(const TensorEntry& entry, std::span<const std::byte> bytes, std::shared_ptr<const MappedFile> file) {
  if (reinterpret_cast<uintptr_t>(bytes.data()) % size_of(entry.dtype) == 0) {
    return {entry.dtype, entry.shape, bytes, std::move(file), /*is_mapped=*/true};
  }
  auto copy = std::make_shared<const std::vector<std::byte>>(bytes.begin(), bytes.end());
  return {entry.dtype, entry.shape, *copy, copy, /*is_mapped=*/false};
}

Safetensors read_shards(const std::filesystem::path& folder, const std::filesystem::path& index_path, ErrorKind kind) {
  const Source source{.name = index_path.string(), .kind = kind, .first_line = 1, .advice = kFetchAll};
  const JsonObject weight_map = JsonObject(read_json(source.name, kind), source).object("weight_map");
  std::map<std::string, std::set<std::string>> tensors_of;
  for (const std::string& tensor : weight_map.keys()) tensors_of[weight_map.text(tensor)].insert(tensor);

  Safetensors all;
  for (const auto& [shard, expected] : tensors_of) {
    const std::filesystem::path relative = std::filesystem::path(shard).lexically_normal();
    if (relative.empty() || relative.is_absolute() || *relative.begin() == "..") {
      source.refuse("a shard must be a file inside the folder, but \"weight_map\" names " + quote(shard));
    }
    if (std::error_code ignored; !std::filesystem::exists(folder / relative, ignored)) {
      source.refuse("shard " + quote(shard) + " must lie beside the index, but there is none of this name");
    }
    Safetensors part = read_safetensors((folder / relative).string(), kind);
    for (const std::string& tensor : expected) {
      if (!part.tensors.contains(tensor)) {
        source.refuse("shard " + quote(shard) + " must hold tensor " + quote(tensor) +
                      ", as \"weight_map\" says, but it does not");
      }
    }
    for (auto& [tensor, array] : part.tensors) {
      if (!expected.contains(tensor)) {
        source.refuse("every tensor of a shard must be mapped to it by \"weight_map\", but " + quote(tensor) + " of " +
                      quote(shard) + " is not");
      }
      all.tensors.emplace(tensor, std::move(array));
    }
    for (auto& [key, value] : part.metadata) all.metadata[key] = std::move(value);
  }
  return all;
}

}  // namespace

Safetensors read_safetensors(const std::string& path, ErrorKind kind) {
  const Source source = source_of(path, kind);
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path, kind);
  const std::string header = header_text(file->bytes(), source);
  const Json json = parse_json(header, source_of(path + " (header)", kind));
  const std::span<const std::byte> data = file->bytes().subspan(kLengthBytes + header.size());

  Safetensors result{{}, read_metadata(json, source)};
  std::vector<TensorEntry> entries;
  for (const auto& [name, value] : json.items()) {
    if (name != kMetadata) entries.push_back(read_entry(name, value, source));
  }
  check_tiling(entries, data.size(), source);
  for (const TensorEntry& entry : entries) {
    result.tensors.emplace(entry.name, make_aligned(entry, data.subspan(entry.begin, entry.end - entry.begin), file));
  }
  return result;
}

Safetensors read_safetensors_folder(const std::string& folder, ErrorKind kind) {
  const std::filesystem::path root(folder);
  const std::filesystem::path single = root / "model.safetensors", index = root / "model.safetensors.index.json";
  std::error_code ignored;
  if (std::filesystem::exists(single, ignored)) return read_safetensors(single.string(), kind);
  if (std::filesystem::exists(index, ignored)) return read_shards(root, index, kind);
  Source{.name = folder, .kind = kind, .first_line = 1, .advice = kFetchAll}.refuse(
      "a checkpoint folder must hold model.safetensors or model.safetensors.index.json, but it holds neither");
}

FileDigest write_safetensors(const std::string& path, const Arrays& tensors,
                             const std::map<std::string, std::string>& metadata) {
  std::vector<std::pair<const std::string*, const Array*>> order;
  for (const auto& [name, array] : tensors) {
    ASSAY_ASSERT(name != kMetadata);
    order.emplace_back(&name, &array);
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.second->dtype > b.second->dtype; });

  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[kMetadata] = metadata;
  uint64_t offset = 0;
  for (const auto& [name, array] : order) {
    const uint64_t end = offset + array->bytes.size();
    header[*name] = {{"dtype", to_string(array->dtype)}, {"shape", array->shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');

  AtomicFile file(path);
  const uint64_t length = text.size();
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(text);
  for (const auto& [name, array] : order) file.write(array->bytes);
  return file.commit();
}

}  // namespace assay::io
