#!/bin/sh
# list.sh FOLDER PATTERN...: prints the files under FOLDER that match, one a
# line, relative to it, in the order of the C locale. meson cannot glob.
cd "$1" || exit 1
shift
LC_ALL=C
export LC_ALL
for pattern; do
  for file in $pattern; do
    [ ! -f "$file" ] || printf '%s\n' "$file"
  done
done
