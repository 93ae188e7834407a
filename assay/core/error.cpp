#include "assay/core/error.h"

namespace assay {

const char* to_string(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::Usage: return "usage";
    case ErrorKind::Data: return "data";
    case ErrorKind::Model: return "model";
    case ErrorKind::Numeric: return "numeric";
    case ErrorKind::Resource: return "resource";
    case ErrorKind::Internal: return "internal";
    case ErrorKind::Interrupted: return "interrupted";
  }
  return "internal";
}

void fail_assertion(const char* condition, const char* file, int line) {
  throw Error(ErrorKind::Internal, std::string("checking ourselves: ") + condition + " must hold at " + file + ":" +
                                       std::to_string(line) + " and did not; please report this as a bug");
}

}  // namespace assay
