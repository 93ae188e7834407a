// Broken twins: deliberate errors inside the product's own files that exist only in the tests' build of the library.
//
//   score = ASSAY_TWIN("attribute.wrong_sign") ? -score : score;
//
// In the product ASSAY_TWIN is the constant false and the branch disappears. In the tests' library it asks a switch
// that a test turns on with ScopedTwin; the assertion that passes without the twin must then fail. A test whose twin
// survives proves nothing.
#pragma once

#include <string>

namespace assay {

bool twin_is_active(const char* name) noexcept;

/// Turns one twin on for the life of the object. One at a time, not thread-safe while being switched: for tests only.
class ScopedTwin {
 public:
  explicit ScopedTwin(std::string name);
  ~ScopedTwin();
  ScopedTwin(const ScopedTwin&) = delete;
  ScopedTwin& operator=(const ScopedTwin&) = delete;
};

}  // namespace assay

#ifdef ASSAY_TWINS
#define ASSAY_TWIN(name) (::assay::twin_is_active(name))
#else
#define ASSAY_TWIN(name) (false)
#endif
