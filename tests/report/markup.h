// A small reader of the markup that our pages are made of: enough to see whether tags balance and attributes are sound.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace assay::report::testing {

/// "" if every element is closed in order, ids are unique and no raw < or & stands in text; else the first fault.
inline std::string fault_in(std::string_view page) {
  std::vector<std::string> open;
  std::vector<std::string> ids;
  for (std::size_t at = 0; at < page.size();) {
    if (page[at] != '<') {
      if (page[at] == '&' && page.substr(at, 12).find(';') == std::string_view::npos)
        return "a raw & near " + std::string(page.substr(at, 30));
      ++at;
      continue;
    }
    if (page.substr(at, 9) == "<!doctype") {
      at = page.find('>', at) + 1;
      continue;
    }
    // The end of a tag is the first > outside of quotes.
    std::size_t end = at + 1;
    bool is_quoted = false;
    while (end < page.size() && (is_quoted || page[end] != '>')) {
      if (page[end] == '"') is_quoted = !is_quoted;
      if (page[end] == '<' && !is_quoted) return "a raw < near " + std::string(page.substr(at, 40));
      ++end;
    }
    if (end == page.size()) return "an open tag: " + std::string(page.substr(at, 40));
    const std::string_view tag = page.substr(at + 1, end - at - 1);
    at = end + 1;
    const bool closes = tag.starts_with('/');
    const std::string name(tag.substr(closes ? 1 : 0, tag.find_first_of(" /", 1) - (closes ? 1 : 0)));
    if (closes) {
      if (open.empty() || open.back() != tag.substr(1)) {
        return "</" + std::string(tag.substr(1)) + "> closes <" + (open.empty() ? "" : open.back()) + ">";
      }
      open.pop_back();
      continue;
    }
    if (const std::size_t id = tag.find(" id=\""); id != std::string_view::npos) {
      const std::string value(tag.substr(id + 5, tag.find('"', id + 5) - id - 5));
      for (const std::string& other : ids) {
        if (other == value) return "the id " + value + " twice";
      }
      ids.push_back(value);
    }
    const bool is_void = name == "meta" || name == "br" || name == "col" || tag.ends_with('/');
    if (!is_void) open.push_back(name);
    if (name == "style" || name == "script") at = page.find("</" + name + ">", at);
  }
  return open.empty() ? "" : "<" + open.back() + "> is never closed";
}

inline std::size_t occurrences(std::string_view text, std::string_view what) {
  std::size_t n = 0;
  for (std::size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

}  // namespace assay::report::testing
