#include "assay/kernel/amx_tiles.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "assay/core/machine.h"
#include "assay/core/twin.h"

namespace assay::kernel {
namespace {

/// Linux lets a process use the tiles' state once it has asked for it.
bool is_granted() {
#if defined(__x86_64__) && defined(SYS_arch_prctl)
  constexpr int kRequestState = 0x1023, kTileData = 18;
  const Processor machine = processor();
  return machine.has_amx_bf16 && machine.has_avx512 && machine.has_avx512_bf16 && widest_lanes() == 64 &&
         syscall(SYS_arch_prctl, kRequestState, kTileData) == 0;
#else
  return false;
#endif
}

}  // namespace

bool has_amx() {
  static const bool granted = is_granted();
  return granted && !ASSAY_TWIN("kernel.bf16_functions_absent");
}

}  // namespace assay::kernel
