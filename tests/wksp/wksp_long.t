#!/bin/sh
# The random tests of wksp at length: 10,000 kills, many more operations.
bin=${BUILD:-build}/bin
n=0
failed=0
run() { # NAME COMMAND...
  n=$((n + 1))
  name=$1
  shift
  env "$@" >/tmp/wksp_long.$$ 2>&1
  status=$?
  if [ $status = 0 ]; then echo "ok $n - $name"; else
    echo "not ok $n - $name"
    echo "# exit status $status of $*; its last lines:"
    tail -n 5 /tmp/wksp_long.$$ | sed 's/^/#   /'
    failed=1
  fi
  grep -E '^(#|not ok)' /tmp/wksp_long.$$ | sed 's/^not ok/# not ok/'
  rm -f /tmp/wksp_long.$$
}
run "10,000 kills" WKSP_KILLS=10000 "$bin/test_wksp_kill"
run "every byte of a checkpoint, every bit of a small one flipped" WKSP_FLIP_STEP=1 "$bin/test_wksp_ckpt"
run "every bit of an LZ4 frame flipped" CHECKPT_FLIP_STEP=1 "$bin/test_fd_checkpt"
run "model, 100,000 operations" WKSP_MODEL_OPS=100000 "$bin/test_wksp_model"
run "fd_alloc, 5,000,000 operations per thread" ALLOC_STRESS=5000000 "$bin/test_fd_alloc"
run "acceptance program" "$bin/test_wksp_tpool" --log-path '' --tile-cpus f2 --iter-max 10
echo "1..$n"
exit $failed
