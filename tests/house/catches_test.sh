#!/usr/bin/env bash
# The broken twin of house_test.sh: a project with one breach of each rule, every one of which must be named.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT
cd "$project" && git init -q
mkdir -p assay/math assay/nn assay/locate assay/attribute assay/core cli tests/nn docs
plant() { printf '// %s\n%s\n' "$1" "$2" >"$1"; }
plant assay/math/up.h '#include "assay/nn/model.h"'
plant assay/locate/across.h '#include "assay/attribute/score.h"'
plant assay/nn/heavy.cpp '#include <torch/torch.h>'
plant assay/nn/wide.h '#include <ATen/ops/add.h>'
plant assay/core/light.cpp '#include <ATen/core/Tensor.h>'
plant assay/nn/chance.cpp 'std::mt19937 engine;'
plant assay/nn/hash.cpp 'auto h = std::hash<int>{}(1);'
plant assay/nn/CamelCase.cpp 'int a;'
plant assay/nn/utils.cpp 'int a;'
{ echo '// long'; seq 450 | sed 's/^/int a/; s/$/;/'; } >assay/nn/long.cpp
echo 'int a;' >assay/nn/headless.h
plant assay/nn/unfinished.cpp '// TODO finish'
plant docs/machine.md 'see /root/data'
plant assay/nn/twin.cpp 'int a = ASSAY_TWIN("nn.unwatched");'
plant tests/nn/twin_test.cpp 'ScopedTwin twin("nn.imagined");'
report=$("$here/house_test.sh" "$project" || true)
status=0
for breach in 'math/up.h:2: an area' 'locate/across.h:2: an area' 'heavy.cpp:2: LibTorch' 'wide.h:2: a public header' 'light.cpp:2: assay/core' \
  'chance.cpp:2: randomness' 'hash.cpp:2: std::hash' 'CamelCase.cpp:1: a file name' 'utils.cpp:1: a file is named' 'long.cpp:451: a file over' \
  'headless.h:1: a header opens' 'unfinished.cpp:2: finish' 'machine.md:2: no path' 'twin "nn.unwatched"' 'twin "nn.imagined"' '15 breaches'; do
  grep -qF "$breach" <<<"$report" || { echo "not caught: $breach"; status=1; }
done
[ $status -eq 0 ] || printf '%s\n' "$report"
exit $status
