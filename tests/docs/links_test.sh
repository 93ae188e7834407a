#!/usr/bin/env bash
# Every relative link and picture of the pages leads to a file of the project, every anchor to a heading of its page, and
# every page of docs/ can be reached from README.md or another page.
set -euo pipefail
cd "$(dirname "$0")/../.."
failed=0
mapfile -t pages < <(git ls-files --cached --others --exclude-standard -- '*.md')
anchors() { sed -n '/^```/,/^```/d; s/^##* //p' "$1" | tr '[:upper:]' '[:lower:]' | sed 's/[^a-z0-9 _-]//g; s/ /-/g'; }
reached=' README.md '
for page in "${pages[@]}"; do
  while IFS= read -r link; do
    case $link in http*://* | mailto:*) continue ;; esac
    target=${link%%#*} anchor=
    case $link in *#*) anchor=${link#*#} ;; esac
    file=$page
    [ -z "$target" ] || file=$(realpath -m --relative-to=. "$(dirname "$page")/$target")
    reached+="$file "
    if [ ! -e "$file" ]; then echo "$page: the link $link leads nowhere"; failed=1; continue; fi
    if [ -n "$anchor" ] && ! anchors "$file" | grep -qxF "$anchor"; then echo "$page: $file has no heading for #$anchor"; failed=1; fi
  done < <(sed '/^```/,/^```/d; s/`[^`]*`//g' "$page" | grep -oE '\]\([^) ]+' | sed 's/^](//' || true)
done
for page in "${pages[@]}"; do
  case $page in
    docs/*) [[ $reached == *" $page "* ]] || { echo "$page: no page leads here"; failed=1; } ;;
  esac
done
echo "links: ${#pages[@]} pages"
exit $failed
