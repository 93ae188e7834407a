#!/usr/bin/env bash
# The documented commands that take under 20 s, and the runner itself: a failing block, an unknown kind of fence and a
# command wrongly left to the reader must each be found.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for broken in '```sh\nfalse\n```' '```sh later\ntrue\n```' '```sh by-hand\nrm -rf result\n```' '```sh\nfalse | true\n```'; do
  printf "$broken\n" >"$folder/broken.md"
  if "$here/commands.sh" "$folder/broken.md" >/dev/null; then printf "not found: $broken\n"; exit 1; fi
done
printf '```sh\necho kept >made\n```\n\n```text\nfalse\n```\n\n```sh slow\nfalse\n```\n\n```sh\ntest -f made && test -x dev\n```\n' >"$folder/sound.md"
"$here/commands.sh" "$folder/sound.md" >"$folder/output" || { cat "$folder/output"; exit 1; }
"$here/commands.sh"
