#!/usr/bin/env bash
# Photographs a page at its whole height: 1280 and 390 pixels wide, light and dark. Writes NAME-WIDTH-THEME.png into FOLDER
# and prints each path. usage: shot.sh FILE.html FOLDER
set -euo pipefail
page=$(realpath "$1")
folder=$2
mkdir -p "$folder"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# A second copy, freed of its content policy, tells the height; the page itself is photographed as it was written.
{ sed 's/<meta http-equiv="Content-Security-Policy"[^>]*>//' "$page"; echo '<script>document.documentElement.dataset.height = document.documentElement.scrollHeight</script>'; } >"$scratch/measured.html"
for width in 1280 390; do
  for theme in light dark; do
    browser=(chromium-headless-shell --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$scratch/profile"
      --blink-settings=preferredColorScheme=$([ $theme = dark ] && echo 0 || echo 1))
    height=$("${browser[@]}" --window-size=$width,800 --dump-dom "file://$scratch/measured.html" 2>/dev/null |
      sed -n 's/^<html.* data-height="\([0-9]*\)".*/\1/p')
    picture=$folder/$(basename "$page" .html)-$width-$theme.png
    "${browser[@]}" --window-size="$width,$height" --screenshot="$picture" "file://$page" 2>"$scratch/log" >/dev/null || { cat "$scratch/log"; exit 1; }
    echo "$picture"
  done
done
