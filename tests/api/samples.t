#!/bin/sh
# The sample programs run as third parties run theirs: end with `pass` and exit 0, also with several
# tiles and pages of any size; an unusable option is an error.
set -u
case ${BUILD:-build} in *san-thread*)
  echo "1..0 # SKIP such programs signal by volatile accesses, which ThreadSanitizer calls races"
  exit 0 ;;
esac
bin=${BUILD:-build}/bin
export FD_LOG_PATH=
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
count=0 failed=0
verdict() { # STATUS NAME
  count=$((count + 1))
  if [ "$1" = 0 ]; then
    echo "ok $count - $2"
  else
    echo "not ok $count - $2"
    sed 's/^/# /' "$tmp/err" | tail -10
    failed=1
  fi
}
passes() { # PROGRAM OPTIONS...
  name="$*" program=$bin/$1
  shift
  "$program" "$@" >"$tmp/out" 2>"$tmp/err" && tail -n 1 "$tmp/err" | grep -q 'NOTICE .*: pass$'
  verdict $? "$name"
}
passes sample_wksp_stress --alloc-cnt 20000
passes sample_wksp_stress --alloc-cnt 10000 --tile-cpus f3 --page-sz normal --page-cnt 2048 --sz-max 20000
passes sample_wksp_stress --alloc-cnt 10000 --tile-cpus f2 --page-sz huge --page-cnt 4 --align-max 1 --seed 1
export FD_SHMEM_PATH="$tmp"
passes sample_wksp_shared
passes sample_wksp_shared --page-sz huge --page-cnt 1
passes sample_checkpt --iter-max 6
passes sample_checkpt --iter-max 6 --tile-cpus f4 --page-sz normal --page-cnt 1024 --path "$tmp/ckpt" --keep 1
test -s "$tmp/ckpt"
verdict $? "--keep keeps the checkpoint"
passes sample_groove --alloc-cnt 4000
grep -c '^+++ ALLOC:' "$tmp/out" | grep -qx 16 && grep -c '^+++ FREE:' "$tmp/out" | grep -qx 16
verdict $? "the backtracing vtable logged its 32 calls"
many=400
[ -z "${VALTEST_LONG:-}" ] || many=4000
passes sample_groove --alloc-cnt $many --tile-cpus f3 --volume-cnt 4 --sz-max 10485760
"$bin/sample_wksp_stress" --no-such-option 1 >/dev/null 2>"$tmp/err"
[ $? = 1 ] && grep -q 'ERR .*unrecognized' "$tmp/err"
verdict $? "an unknown option is left to the program, whose ERR exits with 1"
echo "1..$count"
exit $failed
