#!/usr/bin/env bash
# The rules of CONTRIBUTING.md that a machine can see, checked on every file that git knows or would add. Prints each
# breach as FILE:LINE: RULE and fails when there is one. usage: house_test.sh [FOLDER]   (default: this project)
set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"
breaches=$(mktemp)
trap 'rm -f "$breaches"' EXIT
files() { git ls-files --cached --others --exclude-standard -- "$@" | while IFS= read -r f; do [ -f "$f" ] && printf '%s\n' "$f"; done; }
# refuse RULE REGEX FILE...: no line of these files may match.
refuse() { local rule=$1 regex=$2; shift 2; [ $# -eq 0 ] || grep -nHE -- "$regex" "$@" | sed "s|^\([^:]*:[0-9]*\):.*|\1: $rule|" >>"$breaches" || true; }

mapfile -t sources < <(files '*.cpp' '*.h')
mapfile -t headers < <(files 'assay/*.h')
mapfile -t library < <(files 'assay/*.cpp' 'assay/*.h')
mapfile -t light < <(files 'assay/core/*' 'assay/**/*_options.*' 'cli/main.cpp' | grep -E '\.(cpp|h)$')
mapfile -t texts < <(files '*.cpp' '*.h' '*.md' '*.sh' '*.cmake' '*CMakeLists.txt' dev '*.awk' '*.toml' | grep -v '^tests/house/')

# 1. An area includes only areas above it, and methods never include each other.
awk '
BEGIN {
  n = split("core math kernel io data nn train curvature sample", above)
  for (i = 1; i <= n; i++) floor[above[i]] = i
  n = split("attribute locate steer shape infer reward bayes detect evaluate prove", methods)
  for (i = 1; i <= n; i++) floor[methods[i]] = 20
  floor["report"] = 30; floor["dist"] = 40
}
match($0, /^#include "assay\/[a-z]+\//) {
  split(FILENAME, path, "/"); from = path[2]
  split($0, path, "/"); to = path[2]
  if (!(from in floor)) print FILENAME ":" FNR ": the area " from " is not in the list of floors"
  else if (!(to in floor) || floor[to] > floor[from] || (floor[to] == floor[from] && to != from))
    print FILENAME ":" FNR ": an area includes only areas above it, but " from " includes " to
}' "${library[@]}" /dev/null >>"$breaches"

# 2. LibTorch by its small headers, and none where help and usage errors answer.
refuse "LibTorch comes by per-operator headers and ATen/core/Tensor.h, never by its collections" \
  '#include [<"](torch/(torch|nn|all|types|extension)\.h|torch/nn/|ATen/ATen\.h|ATen/Functions\.h|ATen/NativeFunctions\.h)' "${sources[@]}"
refuse "a public header includes at most ATen/core/Tensor.h of LibTorch" \
  '#include [<"](torch/|c10/|ATen/([^c]|c[^o]|core/[^T]))' "${headers[@]}"
refuse "assay/core, option tables and cli/main.cpp must not include LibTorch" '#include [<"](torch|ATen|c10)/' "${light[@]}"

# 3. Determinism: randomness is counter-based, nothing stored depends on the clock or on std::hash.
refuse "randomness comes from assay/core/philox.h, keyed by seed, stream and index" \
  'std::(mt19937|random_device|default_random_engine)|\b(s?rand|at::(rand|randn|randperm|bernoulli|multinomial))\(' "${library[@]}"
refuse "std::hash differs between libraries; use assay/core/hash.h" 'std::hash<' "${library[@]}"

# 4. Names: files are snake_case and say what is inside.
files 'assay/*' 'cli/*' 'tests/*' 'bench/*' 'studies/*' 'examples/*' | grep -vE '(CMakeLists\.txt|README\.md)$' |
  awk -F/ '$NF !~ /^[a-z0-9_]+(\.[a-z0-9]+)?$/ { print $0 ":1: a file name is snake_case" }
    $NF ~ /^(utils?|helpers?|misc|stuff|manager|new|old|tmp|temp|final|copy)[_.]|_(utils?|helpers?|misc|manager|old|new|v[0-9]+)\./ {
      print $0 ":1: a file is named by what it holds, not by a drawer" }' >>"$breaches"

# 5. One idea a file, with a head that says which; nothing unfinished; nothing of one machine.
for file in "${sources[@]}"; do
  lines=$(wc -l <"$file")
  [ "$lines" -le 450 ] || echo "$file:$lines: a file over 450 lines holds more than one idea" >>"$breaches"
done
for file in "${library[@]}"; do
  case $file in *.h) head -n 1 "$file" | grep -q '^// ' || echo "$file:1: a header opens with what it computes" >>"$breaches" ;; esac
done
refuse "finish it or leave it out" '\b(TODO|FIXME|XXX|HACK)\b' "${texts[@]}"
refuse "no path of one machine and no host of a registry in the project" \
  '(^|[^A-Za-z0-9_.])/(work|root|farm|opt/wheels|opt/pypi)/|pypi\.org|pythonhosted|download\.pytorch\.org|\.\./shared/(spec|design|examples)' "${texts[@]}"

# 6. Twins: every deliberate error is switched on by a test, and every switch has its error.
mapfile -t tests < <(files 'tests/*.cpp' 'tests/*.h')
mapfile -t commands < <(files 'cli/*.cpp')
planted=$(grep -ohE 'ASSAY_TWIN\("[^"]+"\)' "${library[@]}" "${commands[@]}" /dev/null --exclude=twin.h | grep -oE '"[^"]+"' | sort -u || true)
named=$(grep -ohE '"[a-z]+\.[a-z0-9_]+"' "${tests[@]}" /dev/null | sort -u || true)
switched=$(grep -ohE 'ScopedTwin[a-z_ ]*[({]+"[^"]+"' "${tests[@]}" /dev/null | grep -oE '"[^"]+"' | sort -u || true)
comm -23 <(echo "$planted") <(echo "$named") | sed '/./s/^/assay:1: no test switches on the twin /' >>"$breaches"
comm -13 <(echo "$planted") <(echo "$switched") | sed '/./s/^/tests:1: there is no twin /' >>"$breaches"

sort -u "$breaches" | grep . || true
count=$(sort -u "$breaches" | grep -c . || true)
echo "house: ${#sources[@]} sources, $count breaches"
[ "$count" -eq 0 ]
