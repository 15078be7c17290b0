#!/bin/sh
# The degradation example prints what its README shows.
cd "$(dirname "$0")/../.." || exit 1
shown=$(awk '/^```/ { inside = !inside; next } inside' examples/degradation/README.md)
printed=$(build/examples/degradation) || exit 1
[ "$shown" = "$printed" ] && [ -n "$printed" ] && exit 0
printf '%s\n' "$printed"
echo "this is not what examples/degradation/README.md shows"
exit 1
