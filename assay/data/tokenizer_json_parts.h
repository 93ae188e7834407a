// The exchangeable parts of a tokenizer.json, apart from its model: what they are called, and what Assay makes of those
// that it knows. Every other part is refused by its name, because a part that were ignored would give other ids than
// the model was trained with.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "assay/data/tokenizer_definition.h"
#include "assay/io/json.h"

namespace assay::data {

/// `reading "FILE": RULE, but FOUND; choose a model whose tokenizer is one of …`, thrown.
[[noreturn]] void refuse_tokenizer(const std::string& source, const std::string& rule, const std::string& found);

std::string type_of(const io::JsonObject& part);
/// A part and, where it is a Sequence, the parts in it; none if it is absent.
std::vector<io::JsonObject> parts_of(const io::JsonObject& parent, const char* key, const char* sequence_key);
/// "Prepend + Replace", or "none".
std::string names_of(const std::vector<io::JsonObject>& parts);
bool all_are(const std::vector<io::JsonObject>& parts, std::initializer_list<std::string_view> types);

/// Ids may be this many more than tokens: they are an index, and a stray huge one must not become an allocation.
inline constexpr size_t kMostUnusedIds = 65536;

/// Tokens by id, from an object that maps them to their ids.
std::vector<std::string> read_vocabulary(const io::JsonObject& ids, const std::string& source);

/// "left right" of a line of merges. Refuses any other as merge number `rank`.
std::pair<std::string, std::string> read_merge(const std::string& line, size_t rank, const std::string& source);

/// Takes NFC from the head of a tokenizer's normalizers; false if another or none stands there.
bool take_nfc(std::vector<io::JsonObject>& normalizers);

/// One rule of a byte-level pre-tokenizer: ByteLevel's own pattern, Digits, or Split by a pattern.
SplitRule read_split_rule(const io::JsonObject& cut, const std::string& source);

/// How "▁" stands for spaces: by normalizers (what is left of them after NFC) or by the pre-tokenizer Metaspace. Sets
/// added_space and cuts_words.
void read_space_marks(const io::JsonObject& root, const std::vector<io::JsonObject>& normalizers,
                      TokenizerDefinition& definition);

/// tokenizer_config.json beside it: BOS, EOS and the chat template.
void read_tokenizer_config(const std::string& path, TokenizerDefinition& definition);

}  // namespace assay::data
