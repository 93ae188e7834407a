#include "assay/io/store_manifest.h"

#include "assay/core/hash.h"
#include "assay/core/twin.h"

namespace assay::io {
namespace {

constexpr std::string_view kFormat = "assay store 1";
constexpr std::string_view kChecksumKey = "\"checksum\": \"";  // its first occurrence is the manifest's own
constexpr size_t kDigits = 32;

/// Where the digits of the manifest's own checksum begin; npos where there are none.
size_t digits_position(const std::string& text) {
  const size_t key = text.find(kChecksumKey);
  if (key == std::string::npos || key + kChecksumKey.size() + kDigits > text.size()) return std::string::npos;
  return key + kChecksumKey.size();
}

std::string checksum_of(std::string text, size_t digits) {
  text.replace(digits, kDigits, kDigits, '0');
  return Hasher().add(std::as_bytes(std::span(text))).digest128();
}

}  // namespace

bool StoreManifest::is_ours(const std::string& text) {
  return text.find(kFormat) != std::string::npos;
}

std::string StoreManifest::to_text() const {
  nlohmann::ordered_json json;
  json["format"] = kFormat;
  json["checksum"] = std::string(kDigits, '0');
  json["kind"] = kind;
  json["version"] = version;
  json["finished"] = finished;
  json["about"] = about;
  if (!summary.is_null()) json["summary"] = summary;
  if (!kept.is_null()) json["kept"] = kept;
  json["blocks"] = nlohmann::ordered_json::object();
  for (const auto& [name, block] : blocks) {
    json["blocks"][name] = {{"file", block.file}, {"bytes", block.bytes}, {"checksum", block.checksum}};
  }
  std::string text = json.dump(2) + "\n";
  const size_t digits = digits_position(text);
  return text.replace(digits, kDigits, checksum_of(text, digits));
}

StoreManifest StoreManifest::parse(const std::string& text, const Source& source) {
  if (!is_ours(text)) source.refuse("it must be the manifest of a store, but it is another file; name another folder");
  const size_t digits = digits_position(text);
  const bool fits = digits != std::string::npos && text.substr(digits, kDigits) == checksum_of(text, digits);
  if (!fits && !ASSAY_TWIN("io.store_manifest_checksum_ignored")) {
    source.refuse(
        "its bytes must fit its checksum, but they do not; it is damaged, remove the folder and make it again");
  }
  const JsonObject json(parse_json(text, source), source);  // unharmed, as its checksum says: ours if it is amiss
  StoreManifest manifest{json.text("kind"),
                         json.integer("version"),
                         json.boolean("finished"),
                         json.object("about").json(),
                         json.has("summary") ? json.object("summary").json() : Json(),
                         json.has("kept") ? json.object("kept").json() : Json(),
                         {}};
  const JsonObject blocks = json.object("blocks");
  for (const std::string& name : blocks.keys()) {
    const JsonObject block = blocks.object(name);
    manifest.blocks[name] = {block.text("file"), static_cast<uint64_t>(block.integer("bytes", 0)),
                             block.text("checksum")};
    for (const std::string& inside : {name, manifest.blocks[name].file})
      if (inside.find('/') != std::string::npos) block.refuse("file", "a name inside the folder");
  }
  return manifest;
}

}  // namespace assay::io
