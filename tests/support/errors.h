// What a refusal said: EXPECT_THAT(error_of([&] { open(path); }), Refusal(ErrorKind::Data, "must not be empty")).
#pragma once

#include <gmock/gmock.h>

#include <optional>
#include <string>

#include "assay/core/error.h"

namespace assay {

/// The error that `call` throws, or nothing where it returns. Anything else that is thrown ends the test.
template <class Call>
std::optional<Error> error_of(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

/// An Error of that kind whose one sentence holds the words.
MATCHER_P2(Refusal, kind, words, std::string("a ") + to_string(kind) + " error that says: " + words) {
  if (!arg) {
    *result_listener << "nothing was refused";
    return false;
  }
  *result_listener << "which is a " << to_string(arg->kind()) << " error: " << arg->what();
  const std::string said = arg->what();
  return arg->kind() == kind && said.find(words) != std::string::npos && said.find('\n') == std::string::npos;
}

}  // namespace assay
