#!/usr/bin/python3
"""Programs that close what is not theirs, lock themselves in or have next to no resources."""
import os
import sys

sys.path.insert(0, "tests/lib")
from valtest import Tap, check, program  # noqa: E402


def main():
    tap = Tap()
    for way in ("lowest", "std-closed", "reuse", "take-over", "close-all", "close-seen", "close-range"):
        check(tap, f"descriptors {way}", program("descriptors", way))
    # strict mode forbids the system calls that get space in a file; the loss is counted
    check(tap, "confined by strict", program("confine", "strict"), modes=["bare"], lost_allowed=True)
    check(tap, "confined by strict", program("confine", "strict"), modes=["run"])
    for way in ("filter", "as", "fsize", "fsize0", "nofile", "chdir"):
        check(tap, f"confined by {way}", program("confine", way))
    if os.getuid() == 0:
        for way in ("chroot", "setuid", "unshare"):
            check(tap, f"confined by {way}", program("confine", way))
    else:
        tap.skip("chroot, setuid, unshare", "needs root")
    for way in ("fsize", "fsize0", "nofile"):  # from before the next image starts
        check(tap, f"started under {way}", program("confine", way, *program("apis", "basic")),
              counts=False, stderr=False)
    tap.done()


main()
