#!/bin/sh
# The programs as a user calls them: test_wksp_tpool with its defaults scaled down, fd_wksp_ctl and
# fd_shmem_ctl from creating a workspace in one process to restoring it in another.
bin=${BUILD:-build}/bin
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
n=0
failed=0

ok() { # STATUS NAME
  n=$((n + 1))
  if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; failed=1; fi
}
is() { # GOT EXPECTED NAME
  [ "$1" = "$2" ]
  ok $? "$3"
  [ "$1" = "$2" ] || { echo "# got: $1"; echo "# expected: $2"; }
}
ctl() { "$bin/fd_wksp_ctl" --shmem-path "$dir" "$@" 2>"$dir/err"; }
shm() { "$bin/fd_shmem_ctl" --shmem-path "$dir" "$@" 2>"$dir/err"; }

"$bin/test_wksp_tpool" --log-path '' --tile-cpus f2 --iter-max 2 --page-sz normal --page-cnt 4096 \
  --path "$dir/ckpt" >"$dir/out" 2>&1
ok $? "test_wksp_tpool with two tiles"
grep -q 'pass$' "$dir/out"
ok $? "which ends with pass"
[ ! -e "$dir/ckpt" ]
ok $? "and leaves no checkpoint"
"$bin/test_wksp_tpool" --log-path '' --iter-max 1 --path "$dir/ckpt" --keep 1 --mode 0640 >"$dir/out" 2>&1
ok $? "test_wksp_tpool with its gigantic page and one tile"
is "$(grep -c WARNING "$dir/out" | grep -x '[01]' >/dev/null && echo few)" few "with at most one warning"
is "$(stat -c %a "$dir/ckpt" 2>/dev/null)" 640 "--keep and --mode"
"$bin/test_wksp_tpool" --log-path '' --worker-cnt 99 --page-sz normal --page-cnt 999 >"$dir/out" 2>&1
[ $? -eq 1 ]
ok $? "more workers than tiles is an error"

ctl --help | grep -q tag-query
ok $? "fd_wksp_ctl --help"
shm --help | grep -q query
ok $? "fd_shmem_ctl --help"
ctl new w 1000 normal 0 0600 100 5
ok $? "new"
ctl new w 1000 normal 0 0600 100 5
is "$?:$(wc -l <"$dir/err")" 1:1 "new of an existing one: status 1 and one line"
a=$(ctl alloc w 64 1000 7)
b=$(ctl alloc w 0 5000 8)
case $a$b in w:*w:*) ok 0 alloc ;; *) ok 1 alloc ;; esac
is "$(ctl tag "$b")" 8 "tag"
ctl memset "$a" 65
ok $? "memset"
is "$(ctl tag-query w 7 | tail -1)" "1 partitions" "tag-query"
is "$(ctl usage w 8 | tail -1)" "used cnt 1 sz 5000" "usage"
ctl checkpt w "$dir/file" 0600 3 verify w rebuild w 9 verify w
ok $? "several commands in a row"
ctl checkpt w "$dir/file" 0600 3
is "$?:$(wc -l <"$dir/err")" 1:1 "checkpoint to an existing file: status 1 and one line"
is "$(ctl preview "$dir/file" | cut -d' ' -f3-6)" "name w seed 5" "preview"
ctl printf "$dir/file" 5 | grep -q 'AAAAAAAAAAAAAAAA'
ok $? "printf shows bytes"
ctl free "$a" && ! ctl tag "$a"
ok $? "free"
ctl tag-free w 8 reset w 4
is "$(ctl usage w 0 | tail -2 | head -1 | cut -d' ' -f2-3)" "cnt 1" "reset leaves one free partition"
ctl new v 4 huge 0 0600 3000 6
ctl restore v "$dir/file" 1
ok $? "restore into one of huge pages with more partitions"
is "$(ctl tag "v:${a#w:}" tag "v:${b#w:}" | tr '\n' ' ')" "7 8 " "has the allocations where they were"
is "$(shm query v 0 | cut -d, -f1)" "v: 4 huge pages" "fd_shmem_ctl query"
mkdir "$dir/small"
if mount -t tmpfs -o size=4k none "$dir/small" 2>"$dir/err"; then
  ctl alloc w 0 3500000 9 >"$dir/out"
  for style in 1 3; do
    ctl checkpt w "$dir/small/file" 0600 $style
    is "$?:$(wc -l <"$dir/err"):$(ls -A "$dir/small")" 1:1: "a full disk, style $style: one line, no file"
  done
  umount "$dir/small"
fi
(ulimit -f 16 && ctl checkpt w "$dir/small/file" 0600 1) 2>"$dir/out"
[ $? -ne 0 ] && [ ! -e "$dir/small/file" ]
ok $? "killed by a file size limit: no file of that name"
ctl preview "$dir/small/"*file "$dir/small/".*.tmp
ok $((!$?)) "and what is left is no checkpoint"
ctl delete v delete w
ok $? "delete"
ctl usage w 0
is "$?:$(wc -l <"$dir/err")" 1:1 "a missing one: status 1 and one line"
shm new r 3 normal 0 0600 && shm delete r 0 && ! shm query r 0
ok $? "fd_shmem_ctl new and delete"
for bad in "new z x normal 0 0600 0 1" "new z 9 nromal 0 0600 0 1" "new z 9 normal 0 0800 0 1" "free z"; do
  ctl $bad
  is "$?:$(wc -l <"$dir/err")" 1:1 "$bad: status 1 and one line"
done
ctl frobnicate
is "$?:$(wc -l <"$dir/err")" 1:1 "unknown command: status 1 and one line"
echo "1..$n"
exit $failed
