#include "assay/data/tokenizer_definition.h"

#include <fmt/format.h>

#include <algorithm>

#include "assay/core/error.h"

namespace assay::data {

std::optional<int32_t> id_of_token(const TokenizerDefinition& definition, std::string_view spelling) {
  for (const AddedToken& added : definition.added_tokens) {
    if (added.content == spelling) return added.id;
  }
  const auto found = std::find(definition.vocabulary.begin(), definition.vocabulary.end(), spelling);
  if (found == definition.vocabulary.end()) return std::nullopt;
  return static_cast<int32_t>(found - definition.vocabulary.begin());
}

const std::string& spelling_of_token(const TokenizerDefinition& definition, int32_t id) {
  for (const AddedToken& added : definition.added_tokens) {
    if (added.id == id) return added.content;
  }
  return definition.vocabulary[static_cast<size_t>(id)];
}

std::unordered_map<std::string_view, int32_t> ids_by_token(const std::vector<std::string>& vocabulary,
                                                           const std::string& source) {
  std::unordered_map<std::string_view, int32_t> ids;
  ids.reserve(vocabulary.size());
  for (size_t id = 0; id < vocabulary.size(); ++id) {
    if (vocabulary[id].empty()) continue;
    const auto [place, is_new] = ids.emplace(vocabulary[id], static_cast<int32_t>(id));
    if (!is_new) {
      throw Error(
          ErrorKind::Model,
          fmt::format("reading \"{}\": a token must stand once in the vocabulary, but \"{}\" has the ids {} and "
                      "{}; take the tokenizer files from the model's own repository",
                      source, vocabulary[id], place->second, id));
    }
  }
  return ids;
}

std::vector<BpeMerge> resolve_merges(const std::vector<std::pair<std::string, std::string>>& pairs,
                                     const std::vector<std::string>& vocabulary, const std::string& source) {
  const auto ids = ids_by_token(vocabulary, source);
  std::vector<BpeMerge> merges;
  merges.reserve(pairs.size());
  for (const auto& pair : pairs) {
    const auto& [left, right] = pair;
    const auto id_of = [&](const std::string& token) {
      const auto found = ids.find(token);
      if (found != ids.end()) return found->second;
      throw Error(ErrorKind::Model,
                  fmt::format("reading \"{}\": the parts and the result of every merge must be tokens, but merge {} "
                              "(\"{}\" and \"{}\") needs \"{}\", which the vocabulary lacks; take the tokenizer files "
                              "from the model's own repository",
                              source, merges.size(), pair.first, pair.second, token));
    };
    merges.push_back({id_of(left), id_of(right), id_of(left + right)});
  }
  return merges;
}

}  // namespace assay::data
