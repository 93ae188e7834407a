#!/usr/bin/env bash
# No object reads more than 1,500 headers. Tensor.h with what it needs is 873, autograd.h 1,100, and the collections that
# a source might pull in unawares (ATen/ATen.h, torch/types.h, torch/torch.h) are 4,900 to 5,200 and three times the time.
# Counted in what the compiler itself wrote down, so that a busy machine changes nothing.
set -euo pipefail
build=${ASSAY_BUILD:-$(dirname "$0")/../../build}
ninja -C "$build" -t deps | awk '
  /^[^ ].*#deps/ { object = $1; objects++ }
  /^    / { count[object]++ }
  END {
    for (object in count) if (count[object] > 1500) { print object " reads " count[object] " headers"; heavy = 1 }
    print "compile budget: " objects " objects"
    exit heavy || !objects
  }'
