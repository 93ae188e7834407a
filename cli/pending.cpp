// Bodies that are still to be merged: whoever adds cli/NAME.cpp removes its line here; the last one removes the file.
#include "assay/core/error.h"
#include "cli/commands.h"

namespace assay::cli {
namespace {
[[noreturn]] void pending(const char* name) {
  throw Error(ErrorKind::Internal, std::string("running assay ") + name + ": its body is not merged yet");
}
}  // namespace

void run(const AttributeOptions&, Session&) { pending("attribute"); }
void run(const DemoOptions&, Session&) { pending("demo"); }

}  // namespace assay::cli
