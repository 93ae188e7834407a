#!/usr/bin/env bash
# Runs the commands that README.md, CONTRIBUTING.md and docs/*.md show, as they are printed. What a fence says decides:
#
#   ```sh           run, in order, block by block, by every ./dev test; each block under 20 s
#   ```sh slow      run by ./dev test --all
#   ```sh by-hand   listed, not run: only cloning, ./dev test itself, and what removes or installs
#   ```text         output, never run
#
# Each document gets a folder of its own that looks like the project (links to everything in it), so that the documents
# cannot see each other's results and the project stays clean. usage: commands.sh [--slow | --list] [FILE.md...]
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
mode=fast
case ${1:-} in --slow | --list) mode=${1#--}; shift ;; esac
[ $# -gt 0 ] || set -- "$root"/README.md "$root"/CONTRIBUTING.md "$root"/docs/*.md
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# blocks FILE: cuts its fences into files NUMBER.LINE.KIND, in order.
blocks() {
  awk -v folder="$2" '
    /^ *```/ && inside { inside = 0; close(file); next }
    /^ *```/ { inside = 1; file = "/dev/null"
      if ($1 == "```sh") { kind = NF == 1 ? "fast" : $2; file = sprintf("%s/%03d.%d.%s", folder, ++count, FNR, kind); printf "" >file }
      next }
    inside { print >file }' "$1"
}

by_hand='^(git clone|cd |sudo |apt-get |export |\./dev (demo|test|clean|install|models))|^#|^$'
failed=0
for document; do
  [ -f "$document" ] || continue
  name=$(basename "$document" .md)
  mkdir -p "$scratch/$name.blocks" "$scratch/$name"
  for entry in "$root"/*; do
    case $(basename "$entry") in build-* | result* | demo) ;; *) ln -s "$entry" "$scratch/$name/" ;; esac
  done
  blocks "$document" "$scratch/$name.blocks"
  for block in "$scratch/$name.blocks"/*; do
    [ -e "$block" ] || continue
    IFS=. read -r _ line kind <<<"$(basename "$block")"
    where="${document#"$root"/}:$line"
    case $kind in fast | slow | by-hand) ;; *) echo "$where: a fence is 'sh', 'sh slow' or 'sh by-hand', not 'sh $kind'"; failed=1; continue ;; esac
    if [ "$kind" = by-hand ] && grep -vE "$by_hand" "$block" | sed "s|^|$where: not a command to leave to the reader: |" | grep .; then failed=1; fi
    if [ "$mode" = list ]; then sed "s|^|$where ($kind): |" "$block"; continue; fi
    if [ "$kind" = by-hand ] || { [ "$kind" = slow ] && [ "$mode" = fast ]; }; then continue; fi
    start=$(date +%s%N)
    if (cd "$scratch/$name" && bash -euo pipefail "$block") >"$scratch/output" 2>&1 </dev/null; then
      printf '%s (%s): %d ms\n' "$where" "$kind" $((($(date +%s%N) - start) / 1000000))
    else
      printf '%s (%s): failed with %d\n' "$where" "$kind" $?
      sed 's/^/  $ /' "$block"
      tail -n 20 "$scratch/output" | sed 's/^/  /'
      failed=1
    fi
  done
done
exit $failed
