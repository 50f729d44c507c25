# shellcheck shell=sh
# What tests share that compile the fd library with $flags of their own: a folder, points by command, the library.
set -u
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
count=0 failed=0
check() { # NAME COMMAND...
  name=$1
  shift
  count=$((count + 1))
  if "$@" >"$tmp/out" 2>&1; then
    echo "ok $count - $name"
  else
    echo "not ok $count - $name"
    grep -v '^ok' "$tmp/out" | sed 's/^/# /' | tail -25
    failed=1
  fi
}
compile_library() {
  for module in util tile tpool shmem checkpt wksp alloc groove valloc; do
    mkdir -p "$tmp/$module"
    for source in core/$module/*.c; do
      # shellcheck disable=SC2086
      gcc $flags -c "$source" -o "$tmp/$module/$(basename "$source" .c).o" || return 1
    done
  done
}
build() { # SOURCE OPTIONS...: $tmp/NAME of it and the library
  out=$tmp/$(basename "$1" .c)
  # shellcheck disable=SC2086
  gcc $flags "$@" "$tmp"/*/*.o -pthread -lm -o "$out"
}
finish() {
  echo "1..$count"
  exit $failed
}
