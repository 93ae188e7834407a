// The entry point of libassay.so: runs one command and turns whatever is thrown into one sentence and an exit code.
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/util/Exception.h>

#include <cstdio>
#include <new>
#include <system_error>

#include "assay/core/error.h"
#include "assay/core/log.h"
#include "assay/core/machine.h"
#include "cli/commands.h"

namespace assay::cli {
namespace {

int report(ErrorKind kind, const std::string& message) {
  std::fprintf(stderr, "assay: %s error: %s\n", to_string(kind), message.c_str());
  return static_cast<int>(kind);
}

void prepare(const CommonOptions& common) {
  keep_freed_memory();
  at::set_num_threads(static_cast<int>(common.threads > 0 ? common.threads : granted_cores()));
  catch_interrupts();
}

}  // namespace
}  // namespace assay::cli

int assay_run(const assay::cli::Invocation& invocation) {
  using namespace assay;
  try {
    const cli::CommonOptions& common = invocation.common();
    cli::prepare(common);
    const std::unique_ptr<Progress> progress = make_progress(common.quiet);
    cli::Session session{invocation, *progress};
    std::visit([&session](const auto& options) { cli::run(options, session); }, invocation.options);
    if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return 0;  // an earlier write may have failed, too
    return cli::report(ErrorKind::Resource,
                       "writing to standard output: it must take what is printed, but it does not; "
                       "is the disk full?");
  } catch (const Error& error) {
    return cli::report(error.kind(), error.what());
  } catch (const std::bad_alloc&) {
    return cli::report(ErrorKind::Resource,
                       "asking for memory: the machine must have more than it has left; "
                       "lower --context or --memory, or close other programs");
  } catch (const c10::Error& error) {
    log(LogLevel::Warning, error.what());
    return cli::report(ErrorKind::Internal, std::string(error.what_without_backtrace()) +
                                                "; ASSAY_LOG=FILE keeps the full text, please report this as a bug");
  } catch (const std::system_error& error) {
    return cli::report(ErrorKind::Resource, error.what());
  } catch (const std::exception& error) {
    return cli::report(ErrorKind::Internal, std::string(error.what()) + "; please report this as a bug");
  }
}
