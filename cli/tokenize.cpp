// assay tokenize: the tokens of a text, as the model would see them, or those of a corpus (tokenize_corpus.h).
#include <fmt/format.h>

#include <iostream>
#include <iterator>

#include "assay/core/hash.h"
#include "assay/core/version.h"
#include "assay/data/tokenizer.h"
#include "cli/commands.h"
#include "cli/loading.h"
#include "cli/planning.h"
#include "cli/result.h"
#include "cli/result_folder.h"
#include "cli/tokenize_corpus.h"

namespace assay::cli {
namespace {

std::string text_of(const TokenizeOptions& options) {
  if (options.text != "-") return options.text;
  return std::string(std::istreambuf_iterator<char>(std::cin), {});
}

/// The token between quotes, so that its spaces and line ends can be seen.
std::string visible(const std::string& token) {
  std::string out;
  for (const char c : token) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n')
      out += "\\n";
    else if (c == '\t')
      out += "\\t";
    else if (byte < 0x20 || byte == 0x7F)
      out += fmt::format("\\x{:02x}", byte);
    else
      out += c;
  }
  return "\"" + out + "\"";
}

}  // namespace

void run(const TokenizeOptions& options, Session& session) {
  if (!options.data.data.empty()) return tokenize_corpus(options, session);
  if (stops_at_plan(session, "tokenize", loading_cost(options.model, Precision::Float32))) return;
  const data::Tokenizer tokenizer = data::load_tokenizer(options.model);
  const std::string text = text_of(options);
  Hasher identity;
  identity.add("tokenize").add(version()).add(tokenizer.hash()).add(text);
  identity.add(static_cast<uint64_t>(options.data.begin_token));
  const auto folder = claim_out(session, identity.digest128());
  std::vector<int32_t> ids = tokenizer.encode(text);
  if (data::adds_bos(tokenizer, bos_policy(options.data.begin_token))) ids.insert(ids.begin(), *tokenizer.bos());
  nlohmann::ordered_json result = result_head(session.invocation);
  result["tokenizer"] = {{"kind", tokenizer.description()}, {"hash", tokenizer.hash()}};
  result["ids"] = ids;
  result["tokens"] = nlohmann::ordered_json::array();
  for (const int32_t id : ids) result["tokens"].push_back(tokenizer.token_text(id));
  if (folder) folder->write_result(result);
  if (options.common.json) return print_json(result);
  for (const int32_t id : ids) fmt::print("{:>8}  {}\n", id, visible(tokenizer.token_text(id)));
}

}  // namespace assay::cli
