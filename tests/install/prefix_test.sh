#!/usr/bin/env bash
# An installed copy works away from the build: the program answers, finds its library, and every header finds its
# includes in the prefix.
set -euo pipefail
build=${ASSAY_BUILD:-$(dirname "$0")/../../build}
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
cmake --install "$build" --prefix "$prefix" >/dev/null
"$prefix/bin/assay" --version
for file in bin/assay lib/libassay.so include/assay/core/error.h; do
  [ -e "$prefix/$file" ] || { echo "the installed copy lacks $file"; exit 1; }
done
if ldd "$prefix/lib/libassay.so" | grep 'not found'; then exit 1; fi
if ldd "$prefix/bin/assay" | grep 'torch'; then echo "the program itself must not need LibTorch"; exit 1; fi
# Headers are installed beside their own includes: none may reach for a file that stayed behind.
(cd "$prefix/include" && grep -rhoE '#include "assay/[^"]+"' . | sed 's/.*"\(.*\)"/\1/' | sort -u |
  while IFS= read -r header; do [ -e "$header" ] || { echo "an installed header includes $header, which is not installed"; exit 1; }; done)
