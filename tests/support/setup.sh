# Set-up shared by tests/run and examples/run (sourced, from the top folder of
# the checkout): Debian packages and build folders.

say() { printf '%s\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }

# packages_of GROUP...: the packages of these groups, from tests/packages.
packages_of() {
  local group words
  for group; do
    while read -r -a words; do
      if [ "${words[0]-}" = "$group" ]; then printf '%s\n' "${words[@]:1}"; fi
    done <tests/packages
  done | sort -u
}

# missing_of PACKAGE...: those of them that are not installed.
missing_of() {
  local package
  for package; do
    case $(dpkg-query -W -f '${db:Status-Status} ' "$package" 2>/dev/null) in
      *installed*) ;;
      *) printf '%s\n' "$package" ;;
    esac
  done
}

# need_packages GROUP...: installs what is missing if it may, else says in one
# line what is missing and ends. --no-remove: never at the price of a package
# somebody else needs (gcc-multilib conflicts with the cross compilers).
need_packages() {
  local missing as_root=() log
  command -v dpkg-query >/dev/null || return 0 # not Debian: what is there must do
  mapfile -t missing < <(packages_of "$@")
  mapfile -t missing < <(missing_of "${missing[@]}")
  [ "${#missing[@]}" -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    if ! sudo -n true 2>/dev/null; then
      die "these Debian packages are missing and I may not install them: ${missing[*]}"
    fi
    as_root=(sudo -n)
  fi
  say "installing: ${missing[*]}"
  log=$(mktemp)
  if ! apt_install >"$log" 2>&1; then
    # The lists may be missing or old.
    if ! { apt_get update && apt_install; } >"$log" 2>&1; then
      tail -n 20 "$log" >&2
      rm -f "$log"
      die "apt-get could not install: ${missing[*]}"
    fi
  fi
  rm -f "$log"
}
apt_get() {
  # Names of variables are passed by env because sudo drops them.
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get \
    -o DPkg::Lock::Timeout=300 "$@"
}
apt_install() { apt_get install -y --no-install-recommends --no-remove "${missing[@]}"; }

# What meson looked at when it configured and ninja does not watch: a file that
# was added, a library that was installed since.
what_is_there() {
  local library
  find include lib tests examples -type f \
    \( -name '*.c' -o -name '*.h' -o -name 'meson.build' \) 2>/dev/null | LC_ALL=C sort
  for library in cmocka jansson yaml-0.1 libevent jemalloc; do
    printf '%s %s\n' "$library" "$(pkg-config --modversion "$library" 2>/dev/null)"
  done
}

# build_in FOLDER MESON_ARGUMENT...: configures FOLDER if it is new, was made
# by another compiler, with other arguments or for another checkout, and
# builds: all of it, or what matches the extended regular expression $only.
# Prints what went wrong, else nothing. One at a time: a lock on a folder.
only=
build_in() {
  local folder=$1 key there log targets=() fresh=no
  shift
  key=$(printf '%s\n' "$(pwd -P)" "$(meson --version)" "CC=${CC-}" "CFLAGS=${CFLAGS-} ${LDFLAGS-}" \
    "$(${CC:-cc} --version 2>&1 | head -n 1)" "$@")
  there=$(what_is_there)
  (
    flock 9
    if [ -e "$folder" ] && [ "$(cat "$folder/.key" 2>/dev/null)" != "$key" ]; then
      if [ ! -d "$folder/meson-private" ]; then
        say "$folder is in the way: it is not a build folder of meson"
        exit 1
      fi
      rm -rf "$folder"
    fi
    if [ ! -e "$folder/.key" ]; then
      log=$(meson setup "$folder" "$@" 2>&1) || { say "$log"; exit 1; }
      fresh=yes
      printf '%s\n' "$key" >"$folder/.key"
    fi
    if [ "$(cat "$folder/.there" 2>/dev/null)" != "$there" ]; then
      [ "$fresh" = yes ] || log=$(meson setup --reconfigure "$folder" 2>&1) || { say "$log"; exit 1; }
      printf '%s\n' "$there" >"$folder/.there"
    fi
    if [ -n "$only" ]; then
      mapfile -t targets < <(ninja -C "$folder" -t targets all |
        sed -n 's/: [a-z]*_LINKER.*//p' | grep -E "$only")
      [ "${#targets[@]}" -gt 0 ] || exit 0
    fi
    # -k 0: a program that does not compile must not hide the others.
    log=$(ninja -C "$folder" -k 0 "${targets[@]}" 2>&1) || { grep -vE '^(ninja: Entering|\[[0-9]+/)' <<<"$log"; exit 1; }
  ) 9<tests
}
