#!/usr/bin/env bash
# find_package(assay) from a project of its own: configures, compiles, links and runs against an installed copy.
set -euo pipefail
source=$(cd "$(dirname "$0")" && pwd)
build=${ASSAY_BUILD:-$source/../../build}
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cmake --install "$build" --prefix "$place/prefix" >/dev/null
cmake -S "$source/outside" -B "$place/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$place/prefix" >/dev/null
ninja -C "$place/build" --quiet
said=$("$place/build/outside")
[[ $said == "3 29 16"$'\n'*'"blocks.1.hook_resid_post"'* ]] || { echo "the outside program said: $said"; exit 1; }
# Another LibTorch is refused by its version, not by symbols that are missing.
mkdir -p "$place/torch/lib" "$place/torch/include/torch/headeronly"
touch "$place/torch/lib/libtorch_cpu.so"
printf '#define TORCH_VERSION_MAJOR 1\n#define TORCH_VERSION_MINOR 9\n#define TORCH_VERSION_PATCH 0\n' >"$place/torch/include/torch/headeronly/version.h"
if said=$(cmake -S "$source/outside" -B "$place/other" -G Ninja -DCMAKE_PREFIX_PATH="$place/prefix" -DASSAY_TORCH_DIR="$place/torch" 2>&1); then
  echo "another LibTorch was accepted"; exit 1
fi
[[ $said == *"holds 1.9.0"* ]] || { echo "the refusal said: $said"; exit 1; }
