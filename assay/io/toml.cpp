#include "assay/io/toml.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <variant>

#include "assay/core/near_match.h"
#include "assay/core/twin.h"
#include "assay/io/mapped_file.h"
#include "assay/io/source.h"

namespace assay::io {

// The parsed file as our own tree, because what was read has to be remembered beside each value.
struct Recipe::List {
  std::vector<Node> items;
};

struct Recipe::Table {
  std::vector<std::string> keys;  // in the file's order
  std::vector<Node> values;
  mutable std::vector<std::string> asked;
};

struct Recipe::Node {
  std::variant<bool, int64_t, double, std::string, List, Table> value;
  size_t line = 0;
  mutable bool was_read = false;

  static Node convert(const toml::node& from, const Source& source);
};

struct Recipe::File {
  Source source;
  Node root;
};

namespace {

std::string line_of(size_t line) {
  return "line " + std::to_string(line);
}

std::string rule_of(const IntegerRange& range) {
  const bool bounded_below = range.least != IntegerRange{}.least, bounded_above = range.most != IntegerRange{}.most;
  if (range.least == 1 && !bounded_above) return "a positive integer";
  if (range.least == 0 && !bounded_above) return "an integer that is not negative";
  std::string rule = "an integer";
  if (bounded_below) rule += " from " + std::to_string(range.least);
  if (bounded_above) rule += " up to " + std::to_string(range.most);
  return rule;
}

std::string rule_of(const RealRange& range) {
  std::string rule = "a finite number";
  if (std::isfinite(range.least)) rule += (range.above_least ? " above " : " from ") + shortest(range.least);
  if (std::isfinite(range.most)) rule += " up to " + shortest(range.most);
  return rule;
}

}  // namespace

Recipe::Node Recipe::Node::convert(const toml::node& from, const Source& source) {
  Node node;
  node.line = from.source().begin.line;
  if (const auto* table = from.as_table()) {
    std::vector<std::pair<toml::source_position, std::string>> order;  // the library keeps keys by name
    for (const auto& [key, value] : *table) order.emplace_back(key.source().begin, key.str());
    std::sort(order.begin(), order.end());
    Table ours;
    for (const auto& [position, key] : order) {
      ours.keys.push_back(key);
      ours.values.push_back(convert(*table->get(key), source));
      ours.values.back().line = position.line;
    }
    node.value = std::move(ours);
  } else if (const auto* array = from.as_array()) {
    List ours;
    for (const toml::node& item : *array) ours.items.push_back(convert(item, source));
    node.value = std::move(ours);
  } else if (const auto* boolean = from.as_boolean()) {
    node.value = boolean->get();
  } else if (const auto* integer = from.as_integer()) {
    node.value = integer->get();
  } else if (const auto* real = from.as_floating_point()) {
    node.value = real->get();
  } else if (const auto* text = from.as_string()) {
    node.value = text->get();
  } else {
    source.refuse("a recipe holds numbers, texts, lists and tables, but " + line_of(node.line) +
                  " holds a date or a time; write it as a text");
  }
  return node;
}

Recipe::Recipe(std::shared_ptr<const File> file, const Node& table, std::string path)
    : file_(std::move(file)), table_(&table), path_(std::move(path)) {}

Recipe Recipe::read(const std::string& path) {
  return parse(MappedFile::open(path, ErrorKind::Usage)->text(), path);
}

Recipe Recipe::parse(std::string_view text, const std::string& name) {
  auto file = std::make_shared<File>(File{{.name = name, .kind = ErrorKind::Usage}, {}});
  try {
    file->root = Node::convert(toml::parse(text), file->source);
  } catch (const toml::parse_error& error) {
    std::string reason(error.description());
    std::replace(reason.begin(), reason.end(), '\n', ' ');
    file->source.refuse("the recipe must be TOML, but at line " + std::to_string(error.source().begin.line) +
                        ", column " + std::to_string(error.source().begin.column) + ": " + reason);
  }
  const Node& root = file->root;
  return Recipe(std::move(file), root, "");
}

std::string Recipe::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

const Recipe::Node* Recipe::find(std::string_view key) const {
  const auto& table = std::get<Table>(table_->value);
  if (std::find(table.asked.begin(), table.asked.end(), key) == table.asked.end()) table.asked.emplace_back(key);
  const auto found = std::find(table.keys.begin(), table.keys.end(), key);
  if (found == table.keys.end()) return nullptr;
  const Node& node = table.values[static_cast<size_t>(found - table.keys.begin())];
  node.was_read = true;
  return &node;
}

const Recipe::Node& Recipe::require(std::string_view key) const {
  if (const Node* node = find(key)) return *node;
  file_->source.refuse("key " + quote(path_of(key)) + " must be given, but it is missing" +
                       closest_clause(key, std::get<Table>(table_->value).keys));
}

void Recipe::refuse_node(const std::string& path, const std::string& rule, const Node& node) const {
  struct Describe {
    std::string operator()(bool x) const { return x ? "true" : "false"; }
    std::string operator()(int64_t x) const { return std::to_string(x); }
    std::string operator()(double x) const { return shortest(x); }
    std::string operator()(const std::string& x) const { return quote(x); }
    std::string operator()(const List&) const { return "a list"; }
    std::string operator()(const Table&) const { return "a table"; }
  };
  file_->source.refuse(quote(path) + " must be " + rule + ", but " + line_of(node.line) + " says " +
                       std::visit(Describe{}, node.value));
}

void Recipe::refuse(std::string_view key, const std::string& rule) const {
  refuse_node(path_of(key), rule, require(key));
}

bool Recipe::has(std::string_view key) const {
  const auto& keys = std::get<Table>(table_->value).keys;
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

int64_t Recipe::integer_of(const Node& node, const std::string& path, const IntegerRange& range) const {
  const auto* value = std::get_if<int64_t>(&node.value);
  if (value == nullptr || *value < range.least || *value > range.most) refuse_node(path, rule_of(range), node);
  return *value;
}

double Recipe::real_of(const Node& node, const std::string& path, const RealRange& range) const {
  const auto* integer = std::get_if<int64_t>(&node.value);
  const auto* real = std::get_if<double>(&node.value);
  const double value = integer != nullptr ? static_cast<double>(*integer) : real != nullptr ? *real : std::nan("");
  const bool large_enough = range.above_least ? value > range.least : value >= range.least;
  if (!std::isfinite(value) || !large_enough || value > range.most) refuse_node(path, rule_of(range), node);
  return value;
}

const std::vector<Recipe::Node>& Recipe::items_of(std::string_view key, const std::string& rule) const {
  const Node& node = require(key);
  if (const auto* list = std::get_if<List>(&node.value)) return list->items;
  refuse_node(path_of(key), rule, node);
}

int64_t Recipe::integer(std::string_view key, IntegerRange range) const {
  return integer_of(require(key), path_of(key), range);
}
double Recipe::real(std::string_view key, RealRange range) const {
  return real_of(require(key), path_of(key), range);
}

bool Recipe::boolean(std::string_view key) const {
  const Node& node = require(key);
  if (const auto* value = std::get_if<bool>(&node.value)) return *value;
  refuse_node(path_of(key), "true or false", node);
}

std::string Recipe::text(std::string_view key) const {
  const Node& node = require(key);
  if (const auto* value = std::get_if<std::string>(&node.value)) return *value;
  refuse_node(path_of(key), "a text", node);
}

std::string Recipe::choice(std::string_view key, std::span<const std::string> allowed) const {
  std::string value = text(key);
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return value;
  std::string list;
  for (const std::string& word : allowed) list += (list.empty() ? "" : ", ") + quote(word);
  refuse(key, "one of " + list);
}

std::vector<int64_t> Recipe::integers(std::string_view key, IntegerRange range) const {
  std::vector<int64_t> values;
  for (const Node& item : items_of(key, "a list of integers")) values.push_back(integer_of(item, path_of(key), range));
  return values;
}

std::vector<double> Recipe::reals(std::string_view key, RealRange range) const {
  std::vector<double> values;
  for (const Node& item : items_of(key, "a list of numbers")) values.push_back(real_of(item, path_of(key), range));
  return values;
}

std::vector<std::string> Recipe::texts(std::string_view key) const {
  std::vector<std::string> values;
  for (const Node& item : items_of(key, "a list of texts")) {
    const auto* text = std::get_if<std::string>(&item.value);
    if (text == nullptr) refuse_node(path_of(key), "a list of texts", item);
    values.push_back(*text);
  }
  return values;
}

int64_t Recipe::integer_or(std::string_view key, int64_t fallback, IntegerRange range) const {
  return find(key) == nullptr ? fallback : integer(key, range);
}
double Recipe::real_or(std::string_view key, double fallback, RealRange range) const {
  return find(key) == nullptr ? fallback : real(key, range);
}
bool Recipe::boolean_or(std::string_view key, bool fallback) const {
  return find(key) == nullptr ? fallback : boolean(key);
}
std::string Recipe::text_or(std::string_view key, std::string fallback) const {
  return find(key) == nullptr ? fallback : text(key);
}
std::string Recipe::choice_or(std::string_view key, std::string fallback, std::span<const std::string> allowed) const {
  return find(key) == nullptr ? fallback : choice(key, allowed);
}

Recipe Recipe::table(std::string_view key) const {
  // An absent table becomes an empty one of its own, so that its keys can be asked for like any other's.

  const Node* node = find(key);
  if (node == nullptr) {
    auto file = std::make_shared<File>(File{file_->source, Node{Table{}, 0, true}});
    const Node& root = file->root;
    return Recipe(std::move(file), root, path_of(key));
  }
  if (!std::holds_alternative<Table>(node->value)) refuse_node(path_of(key), "a table", *node);
  return Recipe(file_, *node, path_of(key));
}

std::vector<Recipe> Recipe::tables(std::string_view key) const {
  std::vector<Recipe> all;
  if (find(key) == nullptr) return all;
  size_t index = 0;
  for (const Node& item : items_of(key, "a list of tables")) {
    const std::string path = path_of(key) + "[" + std::to_string(index++) + "]";
    if (!std::holds_alternative<Table>(item.value)) refuse_node(path, "a table", item);
    all.push_back(Recipe(file_, item, path));
  }
  return all;
}

void Recipe::refuse_unread() const {
  refuse_unread_in(*table_, path_);
}

void Recipe::refuse_unread_in(const Node& node, const std::string& path) const {
  if (const auto* list = std::get_if<List>(&node.value)) {
    for (size_t i = 0; i < list->items.size(); ++i) {
      refuse_unread_in(list->items[i], path + "[" + std::to_string(i) + "]");
    }
  }
  const auto* table = std::get_if<Table>(&node.value);
  if (table == nullptr) return;
  for (size_t i = 0; i < table->keys.size(); ++i) {
    const std::string inner = path.empty() ? table->keys[i] : path + "." + table->keys[i];
    if (!table->values[i].was_read && !ASSAY_TWIN("io.recipe_unknown_key_ignored")) {
      file_->source.refuse("every key must be a known one, but " + quote(inner) + " on " +
                           line_of(table->values[i].line) + " is not" + closest_clause(table->keys[i], table->asked));
    }
    refuse_unread_in(table->values[i], inner);
  }
}

}  // namespace assay::io
