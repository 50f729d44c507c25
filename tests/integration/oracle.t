#!/usr/bin/python3
"""The counting oracle against counts known from the programs' sources, and against the kernel's kill."""
import sys

sys.path.insert(0, "tests/lib")
from valtest import Counts, Run, Tap, program  # noqa: E402


def counted(argv):
    run = Run(argv, "oracle")
    images = run.images()
    run.remove()
    return [image.counts for image in images]


def main():
    tap = Tap()
    # stdout's buffer (1024 bytes on a terminal, 4096 to a file) is the only hidden allocation
    tap.equal(counted(program("hello", 5)), [Counts(7, 1, 0, 50 + 7 + 4096)], "hello leaks five blocks")
    tap.equal(counted(program("ends", "kill")), [Counts(1000, 500, 0, 500500)], "kept through SIGKILL")
    # malloc 33 and 44, aligned_alloc 128; cfree(NULL) is nothing
    tap.equal(counted(program("apis", "frees")), [Counts(3, 3, 0, 205)], "cfree and sized frees")
    # realloc: NULL -> 10 -> 100000 -> 200 -> 200 -> 0; reallocarray: NULL -> 300 -> 3000 -> 0; 0 -> 0
    tap.equal(counted(program("apis", "realloc")),
              [Counts(7, 7, 4, 10 + 100000 + 200 + 200 + 300 + 3000)], "realloc and reallocarray")
    forks = counted(program("forks", "raw"))
    tap.equal([c.allocations for c in forks], [104, 100], "a raw clone has its own counts")
    tap.equal(len(counted(program("forks", "vfork"))), 2, "a vfork child counts as its parent")
    tap.done()


main()
