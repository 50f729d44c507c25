#!/usr/bin/python3
"""Leak gates have nothing to say of a program that only says hello, in any language: what the run-time libraries hold
until the end is not lost, and what those of C and C++ hold is suppressed and counted."""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import VALTRACE, Tap  # noqa: E402

GO = shutil.which("go") or shutil.which("go", path="/usr/lib/go-1.19/bin:/usr/local/go/bin")
# language: (file, text, command that makes ./hello of it; None: it is run by what follows)
LANGUAGES = {
    "C": ("hello.c", '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n', ["gcc", "-o", "hello", "hello.c"]),
    "C++": ("hello.cc", '#include <iostream>\nint main() { std::cout << "hello" << std::endl; }\n', ["g++", "-o", "hello", "hello.cc"]),
    "Rust": ("hello.rs", 'fn main() { println!("hello"); }\n', ["rustc", "-o", "hello", "hello.rs"]),
    "Fortran": ("hello.f90", 'program hello\n  write (*, "(a)") "hello"\nend program\n', ["gfortran", "-o", "hello", "hello.f90"]),
    "Go": ("hello.go", 'package main\n\n// #include <stdio.h>\n// static void hello(void) { puts("hello"); fflush(stdout); }\nimport "C"\n\nfunc main() { C.hello() }\n',
           [GO, "build", "-o", "hello", "hello.go"]),
    "Python": ("hello.py", 'print("hello")\n', None),
}
# Go ends by a system call of its own, so that the gate must be seen to fail, too.
LOSES = 'package main\n\n// #include <stdlib.h>\n// static void lose(void) { for (int i = 0; i < 2000; i++) *(void *volatile *)&(void *){0} = malloc(50); }\nimport "C"\n\nfunc main() { C.lose() }\n'
HOLDS_NOTHING = ("C", "C++")  # after suppressions, besides losing nothing


def run(folder, *argv):
    # Without HOME and the like the tools have no place for what they keep.
    env = {**os.environ, "HOME": folder, "GOCACHE": f"{folder}/cache", "GOFLAGS": "-mod=mod", "CGO_ENABLED": "1"}
    if "RUSTUP_HOME" not in env and os.path.isdir(os.path.expanduser("~/.rustup")):
        env["RUSTUP_HOME"] = os.path.expanduser("~/.rustup")
    return subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=False)


def check(tap, top, language):
    name, text, compiler = LANGUAGES[language]
    if compiler and not (compiler[0] and shutil.which(compiler[0])):
        tap.skip(language, "is not installed")
        return
    folder = f"{top}/{language}"
    os.mkdir(folder)
    with open(f"{folder}/{name}", "w", encoding="ascii") as file:
        file.write(text)
    done = run(folder, *compiler) if compiler else None
    if done and not tap.ok(done.returncode == 0, f"{language}: compiles", [done.stderr]):
        return
    program, trace = ["./hello"] if compiler else ["/usr/bin/python3", name], f"{folder}/t.vtr"
    done = run(folder, VALTRACE, "run", "-q", "--fail-on-leak", "-o", trace, "--", *program)
    tap.equal((done.returncode, done.stdout, done.stderr), (0, "hello\n", ""), f"{language}: --fail-on-leak passes")
    done = run(folder, VALTRACE, "check-budget", "--max-lost", "0", trace)
    tap.ok(done.returncode == 0, f"{language}: nothing is lost", [done.stdout, done.stderr])
    if language in HOLDS_NOTHING:
        done = run(folder, VALTRACE, "check-budget", "--max-leaked", "0", trace)
        tap.ok(done.returncode == 0, f"{language}: nothing is live but what is known", [done.stdout, done.stderr])
        done = run(folder, VALTRACE, "check-budget", "--no-default-suppressions", "--max-leaked", "0", trace)
        tap.equal(done.returncode, 1, f"{language}: which there is")


def check_losing(tap, top):
    if not GO:
        tap.skip("Go, losing", "is not installed")
        return
    folder = f"{top}/losing"
    os.mkdir(folder)
    with open(f"{folder}/lose.go", "w", encoding="ascii") as file:
        file.write(LOSES)
    made = run(folder, GO, "build", "-o", "lose", "lose.go")
    done = run(folder, VALTRACE, "run", "-q", "--fail-on-leak", "-o", "t.vtr", "--", "./lose")
    tap.ok(made.returncode == 0 and done.returncode == 1 and " lost" in done.stderr and "no snapshot" not in done.stderr, "Go: what is lost is found", [made.stderr, done])


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="valtest-hello-") as top:
        for language in LANGUAGES:
            check(tap, top, language)
        check_losing(tap, top)
    tap.done()


main()
