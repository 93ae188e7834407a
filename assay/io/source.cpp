#include "assay/io/source.h"

#include <charconv>

namespace assay::io {
namespace {

/// Where a sentence begins to say what to do next: its first semicolon outside quotation marks, between which a file
/// may say anything; npos where it says nothing.
size_t begin_of_advice(std::string_view sentence) {
  bool is_quoted = false;
  for (size_t i = 0; i < sentence.size(); ++i) {
    if (sentence[i] == '\\' && is_quoted)
      ++i;
    else if (sentence[i] == '"')
      is_quoted = !is_quoted;
    else if (sentence[i] == ';' && !is_quoted)
      return i;
  }
  return std::string_view::npos;
}

std::string usual_advice(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::Usage: return "correct the recipe";
    case ErrorKind::Data: return "correct the file";
    case ErrorKind::Model: return "fetch or convert the model again";
    default: return "try again";
  }
}

}  // namespace

std::string quote(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    constexpr std::string_view kHex = "0123456789abcdef";
    if (byte >= 0x20 && byte != 0x7F)
      quoted += c;
    else
      quoted += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
  }
  return quoted + "\"";
}

std::string shortest(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof(text), value).ptr};
}

void Source::refuse(const std::string& sentence) const {
  std::string message = "reading " + quote(name) + ": " + sentence;
  if (begin_of_advice(sentence) == std::string_view::npos)
    message += "; " + (advice.empty() ? usual_advice(kind) : advice);
  throw Error(kind, message);
}

std::string without_advice(std::string_view message) {
  return std::string(message.substr(0, begin_of_advice(message)));
}

}  // namespace assay::io
