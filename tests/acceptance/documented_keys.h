// The keys that docs/results.md promises of each command's result, read from its tables.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/temporary_folder.h"

namespace assay {

struct DocumentedKeys {
  std::set<std::string> always, sometimes;
};

/// The words between backticks.
inline std::vector<std::string> quoted_words(const std::string& text) {
  std::vector<std::string> words;
  for (size_t open = text.find('`'); open != std::string::npos; open = text.find('`', open)) {
    const size_t close = text.find('`', open + 1);
    if (close == std::string::npos) break;
    words.push_back(text.substr(open + 1, close - open - 1));
    open = close + 1;
  }
  return words;
}

/// Cells of the row of a table that begins with `first`; nothing where there is none.
inline std::vector<std::string> documented_row(const std::string& first) {
  std::istringstream lines(read_bytes(ASSAY_SOURCE_DIR "/docs/results.md"));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| " + first + " |")) continue;
    std::vector<std::string> cells;
    std::istringstream row(line.substr(1));
    for (std::string cell; std::getline(row, cell, '|');) cells.push_back(cell);
    return cells;
  }
  return {};
}

inline DocumentedKeys documented_keys(const std::string& command) {
  DocumentedKeys keys;
  for (const std::string& row : {std::string("every command"), "`" + command + "`"}) {
    const std::vector<std::string> cells = documented_row(row);
    EXPECT_EQ(cells.size(), 3u) << "docs/results.md has no row of three cells for " << row;
    if (cells.size() != 3) continue;
    for (const std::string& key : quoted_words(cells[1])) keys.always.insert(key);
    for (const std::string& key : quoted_words(cells[2])) keys.sometimes.insert(key);
  }
  return keys;
}

/// Every key that is promised is there, and no key is there that is not documented.
inline void expect_documented_keys(const nlohmann::json& result, const std::string& command) {
  const DocumentedKeys keys = documented_keys(command);
  EXPECT_GT(keys.always.size(), 9u);
  for (const std::string& key : keys.always) EXPECT_TRUE(result.contains(key)) << command << " has no " << key;
  for (const auto& [key, value] : result.items()) {
    EXPECT_TRUE(keys.always.contains(key) || keys.sometimes.contains(key))
        << command << " has " << key << ", of which docs/results.md does not know";
  }
}

}  // namespace assay
