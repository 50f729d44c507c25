#!/usr/bin/python3
"""What the shim's file shows: it exports what it interposes, needs only libc, has little and static TLS."""
import re
import subprocess
import sys

sys.path.insert(0, "tests/lib")
from valtest import SHIM, Tap  # noqa: E402

ALLOCATION = {"malloc", "calloc", "realloc", "free", "posix_memalign", "aligned_alloc", "memalign", "valloc",
              "pvalloc", "reallocarray", "malloc_usable_size", "cfree", "free_sized", "free_aligned_sized"}
CXX = re.compile(r"_Z(nw|na|dl|da)[A-Za-z0-9_]*$")
# What else a tracer interposes to follow a process, and its own interface for programs.
LIFE = re.compile(r"(exec\w*|posix_spawnp?|pidfd_spawnp?|system|popen|wordexp|fexecve|_exit|_Exit|quick_exit|m(un)?lockall|prctl|syscall|pthread_setname_np|sigaltstack|set(re|res|e)?[ug]id|setgroups|unshare|setns|chroot|capset|dlclose|dlopen|dlmopen|"
                  r"__register_frame\w*|__deregister_frame\w*|m(un|re)?map(64)?|shm(at|dt)|s?brk|vt_annotate_hooks_v1|vt_attach_v1|__asan_default_options)$")
GLIBC_MAX = (2, 17)  # RHEL 7
# All that may be asked of the C library without a way out: musl has these, too.
BOTH = set("""__cxa_atexit __environ __errno_location abort clock_gettime dl_iterate_phdr environ getauxval getpagesize memcmp memcpy
mempcpy memset pthread_self sched_yield stpcpy strchr strcmp strcspn strlen strncmp strnlen strrchr strspn strstr strtol
strtoul strtoull""".split())


def readelf(*args):
    return subprocess.run(["readelf", "-W", *args, SHIM], capture_output=True, text=True, check=True).stdout


def required():
    """What the file refers to and is not weak."""
    fields = [line.split() for line in readelf("--dyn-syms").splitlines()]
    return {f[7].split("@")[0] for f in fields if len(f) >= 8 and f[4] == "GLOBAL" and f[6] == "UND"}


def exported():
    names = set()
    for line in readelf("--dyn-syms").splitlines():
        fields = line.split()
        if len(fields) >= 8 and fields[4] in ("GLOBAL", "WEAK") and fields[6] != "UND" and fields[0][:-1].isdigit():
            names.add(fields[7].split("@")[0])
    return names


def main():
    tap = Tap()
    names = exported()
    tap.equal(sorted(ALLOCATION - names), [], "every C allocation function is interposed")
    tap.equal(len([n for n in names if CXX.match(n)]), 20, "all 20 forms of operator new and delete")
    rest = sorted(n for n in names - ALLOCATION if not CXX.match(n) and not LIFE.match(n))
    tap.equal(rest, [], "nothing else is exported")
    print("# also exported:", " ".join(sorted(n for n in names if LIFE.match(n))))
    versions = {tuple(map(int, v.split("."))) for v in re.findall(r"GLIBC_(\d+\.\d+(?:\.\d+)?)", readelf("-V"))}
    tap.ok(max(versions) <= GLIBC_MAX, f"highest GLIBC version is {max(versions)}, at most {GLIBC_MAX}")
    tap.equal(sorted(required() - BOTH), [], "nothing is required that musl lacks")
    relocations = readelf("-r")
    tap.ok(not re.search("DTPMOD|TLSDESC", relocations), "no dynamic TLS relocations")
    tls = re.search(r"^\s*TLS\s+\S+ \S+ \S+ \S+ (0x[0-9a-f]+)", readelf("-l"), re.M)
    tap.ok(tls is None or int(tls[1], 16) <= 64, f"TLS of {tls and int(tls[1], 16)} bytes, at most 64")
    needed = set(re.findall(r"\(NEEDED\).*\[(.+)\]", readelf("-d")))
    tap.ok(needed == {"libc.so.6"}, f"needs {sorted(needed)}")
    tap.ok(not re.search(r"GNU_STACK.* RWE ", readelf("-l")), "no executable stack")
    tap.done()


main()
