#!/usr/bin/env python3
"""make install into a folder, which is then moved: the installed command records with the installed
library from anywhere, programs compile with what pkg-config says, and make uninstall leaves nothing."""
import glob
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from tap import COUNT, ok, skip  # noqa: E402

BUILD = os.environ.get("BUILD", "build")
VARIANT = BUILD.partition("/san-")[2]
ENVIRONMENT = {k: v for k, v in os.environ.items()
               if not k.startswith(("VALTRACE_", "MAKE", "MFLAGS", "PREFIX", "DESTDIR", "LD_PRELOAD"))}

ANNOTATED = r"""
#include <valtrace/annotate.h>
#include <stdlib.h>
static char pool[4096];
int main(void) {
  vt_heap_create(pool, sizeof pool, VT_HEAP_CUSTOM, "installed pool", 0, 0);
  vt_block_alloc(pool, pool + 64, 100, 0, 0);
  return malloc(10) == 0;
}
"""
SHARED = r"""
#include <fd/util/fd_util.h>
#include <fd/util/alloc/fd_alloc.h>
#include <fd/groove/fd_groove.h>
#include <stdio.h>
int main(int argc, char **argv) {
  fd_boot(&argc, &argv);
  fd_wksp_t *wksp = fd_wksp_new_anonymous(FD_SHMEM_NORMAL_PAGE_SZ, 4096UL, 0UL, "w", 0UL);
  void *block = wksp ? fd_wksp_alloc_laddr(wksp, 64UL, 1000UL, 1UL) : NULL;
  printf("%d\n", block != NULL);
  fd_halt();
  return !block;
}
"""


def run(*args, **options):
    return subprocess.run(args, capture_output=True, text=True, check=False, env=options.pop("env", ENVIRONMENT), **options)


def make(*args):
    variant = [f"SAN={VARIANT}"] if VARIANT else []
    return run("make", "--no-print-directory", *variant, *args)


def files_below(folder):
    return {os.path.relpath(os.path.join(path, name), folder)
            for path, _folders, names in os.walk(folder) for name in names}


def check_destdir(folder):
    done = make("install", f"DESTDIR={folder}/d", "PREFIX=/usr")
    files = files_below(f"{folder}/d/usr")
    ok(done.returncode == 0 and not done.stderr, "make install with DESTDIR", done.stderr)
    want = {"bin/valtrace", "bin/valtrace-leak-detector", "lib/libvaltrace.so", "lib/libfd.a", "include/valtrace/annotate.h",
            "include/fd/util/fd_util.h", "lib/pkgconfig/valtrace.pc", "lib/pkgconfig/fd.pc", "share/man/man1/valtrace.1",
            "share/man/man1/valtrace-run.1", "share/man/man7/valtrace-preload.7",
            "share/bash-completion/completions/valtrace", "share/zsh/site-functions/_valtrace",
            "share/fish/vendor_completions.d/valtrace.fish"}
    ok(want <= files, "the command, libraries, headers, pages and completion are there", sorted(want - files))
    ok({f for f in files_below(f"{folder}/d") if not f.startswith("usr/")} == set(), "all below PREFIX")
    sources = {f"share/valtrace/{os.path.relpath(path, 'tools')}" for path in glob.glob("tools/html/**", recursive=True)
               if os.path.isfile(path) and not path.endswith(".pyc")}
    sources |= {f"share/valtrace/{os.path.relpath(path, 'tools')}" for path in glob.glob("tools/schema/*.json")}
    ok(sources | {"share/valtrace/known.supp", "share/valtrace/cmake/FindValtrace.cmake"} == {f for f in files if f.startswith("share/valtrace/")}, "known suppressions, the CMake module and the scripts of the HTML report, all of them")
    modes = {f: stat.S_IMODE(os.stat(f"{folder}/d/usr/{f}").st_mode) for f in files}
    ok(all(mode == (0o755 if f.startswith("bin/") else 0o644) for f, mode in modes.items()), "modes", modes)
    with open(f"{folder}/d/usr/lib/pkgconfig/fd.pc", encoding="utf-8") as file:
        text = file.read()
    ok("prefix=/usr\n" in text and folder not in text and "@" not in text, "pkg-config files name PREFIX, not DESTDIR", text)
    os.makedirs(f"{folder}/d/usr/share/valtrace", exist_ok=True)
    done = make("uninstall", f"DESTDIR={folder}/d", "PREFIX=/usr")
    left = files_below(f"{folder}/d")
    ok(done.returncode == 0 and not left and not os.path.exists(f"{folder}/d/usr/include/fd"), "make uninstall leaves nothing",
       sorted(left), done.stderr)


def check_version():
    """The file VERSION says it; Debian wants it in its own list of changes, too."""
    with open("VERSION", encoding="ascii") as file, open("debian/changelog", encoding="utf-8") as changes:
        version, first = file.read().strip(), changes.readline()
    ok(first.startswith(f"valtrace ({version}) "), "debian/changelog has the version", first)


def check_recording(folder, prefix):
    trace, elsewhere = f"{folder}/t.vtr", f"{folder}/elsewhere"
    os.mkdir(elsewhere)
    done = run(f"{prefix}/bin/valtrace", "run", "-q", "-o", trace, "--", "cat", "/proc/self/maps", cwd=elsewhere)
    ok(done.returncode == 0 and f"{prefix}/lib/libvaltrace.so" in done.stdout,
       "valtrace run takes the installed library", done.stdout[:300], done.stderr)
    totals = json.loads(run(f"{prefix}/bin/valtrace", "report", "--json", trace, cwd="/").stdout)["totals"]
    ok(totals["allocations"] > 0, "and what it recorded can be reported", totals)
    done = run(f"{prefix}/bin/valtrace", "html", "-o", f"{folder}/t.html", trace, cwd="/")
    ok(done.returncode == 0 and os.path.getsize(f"{folder}/t.html") > 10000, "the page is made", done.stderr)
    os.symlink(f"{prefix}/bin/valtrace", f"{elsewhere}/vt")
    done = run("./vt", "run", "-q", "-o", f"{folder}/t2.vtr", "--", "true", cwd=elsewhere)
    ok(done.returncode == 0 and not done.stderr and os.path.exists(f"{folder}/t2.vtr"), "also through a symbolic link", done.stderr)
    log = f"{folder}/log"
    with open(log, "w", encoding="utf-8") as file:
        file.write("+++ ALLOC:0:0x10:1:1\n---\n+++ FREE:0:0x10\n---\n")
    ok(run(f"{prefix}/bin/valtrace-leak-detector", log).returncode == 0, "the leak detector runs")


def pkg_config(prefix, *args):
    done = run("pkg-config", f"--define-variable=prefix={prefix}", *args,
               env={**ENVIRONMENT, "PKG_CONFIG_PATH": f"{prefix}/lib/pkgconfig"})
    return done.stdout.split()


def compile_with(folder, prefix, package, text, *flags):
    source, program = f"{folder}/{package}.c", f"{folder}/{package}"
    with open(source, "w", encoding="utf-8") as file:
        file.write(text)
    sanitize = [f"-fsanitize={VARIANT}"] if VARIANT else []
    done = run("gcc", *sanitize, *flags, "-o", program, source, *pkg_config(prefix, "--cflags", "--libs", package))
    ok(done.returncode == 0 and not done.stderr, f"{package}.pc: a program compiles {' '.join(flags)}", done.stderr)
    return program


def check_packages(folder, prefix):
    if not shutil.which("pkg-config"):
        skip("pkg-config")
        return
    version = run(f"{prefix}/bin/valtrace", "--version").stdout.split()[1]
    ok(pkg_config(prefix, "--modversion", "valtrace") == [version] == pkg_config(prefix, "--modversion", "fd"),
       f"pkg-config knows version {version}")
    trace = f"{folder}/a.vtr"
    for flags in ([], ["-static"]):
        program = compile_with(folder, prefix, "valtrace", ANNOTATED, *flags)
        ok(run(program).returncode == 0, "it runs alone")
    program = compile_with(folder, prefix, "valtrace", ANNOTATED)
    run(f"{prefix}/bin/valtrace", "run", "-q", "-o", trace, "--", program)
    heaps = json.loads(run(f"{prefix}/bin/valtrace", "report", "heaps", "--json", trace).stdout)["traces"][0]["heaps"]
    ok(any(h["name"] == "installed pool" and h["live_bytes"] == 100 for h in heaps), "recorded, its heap is in the report", heaps)
    for flags in ([], ["-static"]):
        if not VARIANT or not flags:
            done = run(compile_with(folder, prefix, "fd", SHARED, *flags))
            ok(done.stdout == "1\n", "it allocates from a workspace", done.stdout, done.stderr)


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = os.path.realpath(folder)
        check_version()
        check_destdir(folder)
        make("install", f"PREFIX={folder}/first")
        prefix = f"{folder}/moved"
        os.rename(f"{folder}/first", prefix)
        check_recording(folder, prefix)
        check_packages(folder, prefix)
        os.rename(prefix, f"{folder}/a b")
        done = run(f"{folder}/a b/bin/valtrace", "run", "true")
        ok(done.returncode == 125 and "space" in done.stderr, "a path that cannot be preloaded is refused", done.stderr)
    print(f"1..{COUNT[0]}")
    return 1 if COUNT[1] else 0


sys.exit(main())
