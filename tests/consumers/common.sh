# Shared by the consumers (sourced): a scratch folder, and what the application
# must print. $top is the checkout.
set -eu
top=$(cd "$(dirname "$0")/../../.." && pwd)
here=$top/tests/consumers
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
passed=0

expected='3 failures, then TTB_OPEN
later a probe, closed again'

# expect WHAT COMMAND...: runs the application; it must print $expected.
expect() {
  local what=$1 got
  shift
  got=$("$@") || { printf 'FAILED %s: exit status %s\n' "$what" "$?"; exit 1; }
  if [ "$got" != "$expected" ]; then
    printf 'FAILED %s, it prints:\n%s\n' "$what" "$got"
    exit 1
  fi
  printf 'ok %s\n' "$what"
  passed=$((passed + 1))
}
finish() { printf '%d passed, 0 failed\n' "$passed"; }

# Installs the library as a packager would, into $root.
install_library() {
  root=$scratch/root
  meson setup "$scratch/build" "$top" --prefix=/usr/local --libdir=lib -Dtests=disabled \
    -Dexamples=disabled >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
  DESTDIR=$root meson install -C "$scratch/build" >"$scratch/log" 2>&1 ||
    { cat "$scratch/log"; exit 1; }
}
