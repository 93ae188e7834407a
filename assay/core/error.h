// The one exception type of Assay. A message is one sentence that says what was being done, the rule, what was found
// and what to do next; the kind decides the exit code of the program.
#pragma once

#include <stdexcept>
#include <string>

namespace assay {

/// What went wrong, by who can mend it. The value is the program's exit code.
enum class ErrorKind : int {
  Usage = 2,          ///< a command line, a recipe or a factory string
  Data = 3,           ///< a corpus, a query file, a store
  Model = 4,          ///< a checkpoint, a tokenizer, a configuration
  Numeric = 5,        ///< not finite, not positive definite, did not converge
  Resource = 6,       ///< memory, disk, permissions, a lock held by another process
  Internal = 7,       ///< our own mistake
  Interrupted = 130,  ///< the user stopped it; what was finished is kept
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const noexcept { return kind_; }
  int exit_code() const noexcept { return static_cast<int>(kind_); }

 private:
  ErrorKind kind_;
};

/// "usage", "data", …: the word printed before the message.
const char* to_string(ErrorKind kind) noexcept;

[[noreturn]] void fail_assertion(const char* condition, const char* file, int line);

}  // namespace assay

/// For our own mistakes; a user's mistakes are `throw Error(...)`.
#define ASSAY_ASSERT(condition) \
  (static_cast<bool>(condition) ? void(0) : ::assay::fail_assertion(#condition, __FILE__, __LINE__))
