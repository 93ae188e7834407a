// Recipes in TOML. A command asks a Recipe for the keys that it knows, with types, ranges and defaults; what is left
// over at the end is a mistake of the user and is refused by line, with the nearest key that was asked for. So the list
// of allowed keys is the code that reads them, and cannot drift from it.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace assay::io {

struct IntegerRange {
  int64_t least = std::numeric_limits<int64_t>::min();
  int64_t most = std::numeric_limits<int64_t>::max();
};

struct RealRange {
  double least = -std::numeric_limits<double>::infinity();
  double most = std::numeric_limits<double>::infinity();
  bool above_least = false;  ///< the least value itself is not allowed
};

/// One table of a recipe. Errors are of kind Usage and name file, key path, rule, line and what stands there. Copies
/// share what was read.
class Recipe {
 public:
  static Recipe read(const std::string& path);
  static Recipe parse(std::string_view text, const std::string& name);

  bool has(std::string_view key) const;

  int64_t integer(std::string_view key, IntegerRange range = {}) const;
  double real(std::string_view key, RealRange range = {}) const;  ///< finite; an integer will do
  bool boolean(std::string_view key) const;
  std::string text(std::string_view key) const;
  std::string choice(std::string_view key, std::span<const std::string> allowed) const;
  std::vector<int64_t> integers(std::string_view key, IntegerRange range = {}) const;
  std::vector<double> reals(std::string_view key, RealRange range = {}) const;
  std::vector<std::string> texts(std::string_view key) const;

  int64_t integer_or(std::string_view key, int64_t fallback, IntegerRange range = {}) const;
  double real_or(std::string_view key, double fallback, RealRange range = {}) const;
  bool boolean_or(std::string_view key, bool fallback) const;
  std::string text_or(std::string_view key, std::string fallback) const;
  std::string choice_or(std::string_view key, std::string fallback, std::span<const std::string> allowed) const;

  /// `[key]`; a table without keys where it is absent.
  Recipe table(std::string_view key) const;
  /// `[[key]]`, in the file's order; none where it is absent.
  std::vector<Recipe> tables(std::string_view key) const;

  /// Refuses the first key, in the file's order, of this table and the tables inside that nobody asked for.
  void refuse_unread() const;

  /// Throws: `"key" must be RULE, but line 3 says VALUE`; for rules that only a caller knows.
  [[noreturn]] void refuse(std::string_view key, const std::string& rule) const;

 private:
  struct Node;
  struct List;
  struct Table;
  struct File;

  Recipe(std::shared_ptr<const File> file, const Node& table, std::string path);
  const Node* find(std::string_view key) const;
  const Node& require(std::string_view key) const;
  std::string path_of(std::string_view key) const;
  [[noreturn]] void refuse_node(const std::string& path, const std::string& rule, const Node& node) const;
  int64_t integer_of(const Node& node, const std::string& path, const IntegerRange& range) const;
  double real_of(const Node& node, const std::string& path, const RealRange& range) const;
  const std::vector<Node>& items_of(std::string_view key, const std::string& rule) const;
  void refuse_unread_in(const Node& table, const std::string& path) const;

  std::shared_ptr<const File> file_;
  const Node* table_;  // inside file_
  std::string path_;
};

}  // namespace assay::io
