// A few texts of a JSON object without the object: one pass over the characters, no tree. For lines by the million, of
// which one field is wanted.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace assay::io {

/// Fills `values` with the texts under `keys` and returns true, where `json` is one object in which every key stands
/// once and each of `keys` is a text: then they are what JsonObject::text gives. False in every other case, with
/// nothing said: who wants to know what is amiss asks parse_json. `values` has the size of `keys`.
bool extract_texts(std::string_view json, std::span<const std::string> keys, std::span<std::string> values);

}  // namespace assay::io
