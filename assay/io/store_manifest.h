// The manifest of a Store as text and back. It states what the store is, what it was made from and the checksum of
// every block; its own checksum is taken over all of its bytes, with zeros where the checksum itself stands.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "assay/io/json.h"

namespace assay::io {

struct StoreBlock {
  std::string file;
  uint64_t bytes = 0;
  std::string checksum;  ///< XXH3-128 of the file
};

struct StoreManifest {
  std::string kind;
  int64_t version = 0;
  bool finished = false;
  Json about;
  Json summary;  ///< null, or an object that was given when it was finished
  Json kept;     ///< null, or an object: what of an unfinished store is whole (Store::reopen)
  std::map<std::string, StoreBlock> blocks;

  std::string to_text() const;

  /// Refuses a text that is no manifest or whose checksum does not fit.
  static StoreManifest parse(const std::string& text, const Source& source);

  /// Whether a text, damaged or not, was written by to_text.
  static bool is_ours(const std::string& text);
};

}  // namespace assay::io
