#!/usr/bin/python3
"""The examples of docs/ci.md: each is written down as it stands there and run on a program that is well, and on one that
loses memory. The container is built by container_long.t; here only the syntax of its file is looked at."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from tap import COUNT, ok, skip  # noqa: E402

BIN = os.path.abspath(os.path.join(os.environ.get("BUILD", "build"), "bin"))
MODULES = os.path.abspath("tools/cmake")
STORE = r"""#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static char *volatile held;
static void add(int n) {
  while (n--) {
    held = strdup("an entry");
    free(held);
  }
  held = NULL;
}
#ifdef LEAK
__attribute__((noinline)) static void forget(void) {
  held = malloc(5000);
  held = NULL;
}
#endif
int main(int argc, char **argv) {
  if (argc > 2) add(atoi(argv[2]));
#ifdef LEAK
  if (argc > 2) forget();
#endif
  puts(argv[argc > 1]);
  return 0;
}
"""


def examples():
    with open("docs/ci.md", encoding="utf-8") as file:
        text = file.read()
    return {name: re.sub(rf"^{indent}", "", body, flags=re.M) for indent, name, body in re.findall(r"^( *)```\w+ (\S+)\n(.*?)^ *```$", text, re.M | re.S)}


class Place:
    """A folder with the program, well or leaking, and the examples."""

    def __init__(self, top, files, leak):
        self.folder = tempfile.mkdtemp(dir=top)
        for name, text in {**files, "store.c": ("#define LEAK\n" if leak else "") + STORE}.items():
            with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        self.run("gcc", "-g", "-O1", "-o", "store", "store.c")

    def run(self, *args, **env):
        return subprocess.run(args, cwd=self.folder, env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", **env},
                              capture_output=True, text=True, check=False)


def check_shell(well, leaking):
    for place in (well, leaking):
        done = place.run("sh", "-eu", "baseline.sh")
        ok(done.returncode == 0 and not done.stderr, "baseline: written", done)
    with open(f"{leaking.folder}/budget", encoding="utf-8") as file:
        words = file.read().split()
    ok(words[:2] == ["--max-lost", "5000"] and 5500 <= int(words[3]) <= 12000, "baseline: today's numbers", words)
    done = leaking.run("sh", "gate.sh")
    ok(done.returncode == 0 and "within budget" in done.stdout, "shell: what is there holds", done)
    done = well.run("sh", "gate.sh")
    ok(done.returncode == 0, "shell: the program that is well passes", done)
    shutil.copy(f"{well.folder}/budget", leaking.folder)
    done = leaking.run("sh", "gate.sh")
    ok(done.returncode == 1 and "over budget: lost bytes 4.88 KiB, allowed 0 B" in done.stdout, "shell: a new leak does not", done)
    done = leaking.run("sh", "gate.sh", GATE_FORMAT="github")
    ok(done.returncode == 1 and "file=store.c,line=15," in done.stdout, "shell: for a machine", done)


def check_ctest(well, leaking):
    if not shutil.which("cmake"):
        skip("cmake")
        return
    for place, failing in ((well, set()), (leaking, {"add"})):
        made = place.run("cmake", "-S", ".", "-B", "b", f"-DVALTRACE_CMAKE={MODULES}")
        built = place.run("cmake", "--build", "b")
        done = place.run("ctest", "--test-dir", "b", "--output-on-failure")
        results = dict(re.findall(r"Test +#\d+: (\S+) \.*[ *]*(Passed|Failed)", done.stdout))
        ok(made.returncode == built.returncode == 0 and set(results) == {"add", "add.budget", "show"}, "CTest: three tests", made, built, done)
        ok({name for name, result in results.items() if result == "Failed"} == failing and bool(failing) == bool(done.returncode),
           f"CTest: {failing or 'none'} fails", done.stdout)
    ok("1 block in 4.88 KiB lost" in done.stdout, "CTest: the line is shown", done.stdout)
    with open(f"{well.folder}/CMakeLists.txt", encoding="utf-8") as file:
        tight = file.read().replace("--max-allocations 1000", "--max-allocations 50").replace("add 100 L", "add 100 FORMAT junit SUPPRESSIONS known L")
    with open(f"{well.folder}/CMakeLists.txt", "w", encoding="utf-8") as file:
        file.write(tight)
    with open(f"{well.folder}/known", "w", encoding="utf-8") as file:
        file.write("leak:nothing_of_this_name\n")
    well.run("cmake", "--build", "b")
    done = well.run("ctest", "--test-dir", "b", "--output-on-failure")
    ok("add.budget" in done.stdout.split("FAILED:")[-1] and "<failure" in done.stdout and os.path.exists(f"{well.folder}/b/valtrace/add.junit.xml"),
       "CTest: a limit, a format, suppressions", done.stdout)


def check_meson(well, leaking):
    if not (shutil.which("meson") and shutil.which("ninja")):
        skip("meson")
        return
    for place, failing in ((well, 0), (leaking, 1)):
        made = place.run("meson", "setup", "m")
        done = place.run("meson", "test", "-C", "m", "--setup", "valtrace", "--print-errorlogs")
        counts = [int(n) for n in re.findall(r"^(?:Ok|Fail): +(\d+)", done.stdout, re.M)]
        ok(made.returncode == 0 and counts == [2 - failing, failing] and done.returncode == failing, f"Meson: {failing} of two tests fails", made.stdout, done)
    ok("lost" in done.stdout, "Meson: what was lost is shown", done.stdout)


def check_pytest(well, leaking):
    if subprocess.run(["/usr/bin/python3", "-c", "import pytest"], capture_output=True, check=False).returncode:
        skip("pytest")
        return
    for place, want in ((well, "2 passed"), (leaking, "1 failed, 1 passed")):
        done = place.run("/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_memory.py")
        ok(f"{want} in" in done.stdout and done.returncode == (want != "2 passed"), f"pytest: {want}", done.stdout, done.stderr)
    ok("over budget: lost bytes" in done.stdout, "pytest: what was lost is shown", done.stdout)


def check_container(text):
    """Instructions that exist; stages that are named before they are used."""
    known = {"FROM", "RUN", "COPY", "WORKDIR", "CMD"}
    stages, problems = set(), []
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if not line:
            continue
        if word not in known or not rest:
            problems.append(line)
        if word == "FROM":
            base = re.fullmatch(r"(\S+)(?: AS (\w+))?", rest)
            problems += [] if base and (":" in base[1] or base[1] in stages) else [line]
            stages.add(base and base[2])
        source = re.match(r"--from=(\w+) \S+ \S+$", rest) if word == "COPY" and rest.startswith("--") else True
        if not source or source is not True and source[1] not in stages:
            problems.append(line)
        if word == "RUN" and subprocess.run(["sh", "-n", "-c", rest], check=False).returncode:
            problems.append(line)
        if word == "CMD" and not isinstance(json.loads(rest), list):
            problems.append(line)
    ok(not problems and len(stages) == 4, "container: syntax", problems, stages)


def main():
    if not shutil.which("gcc"):
        print("1..0 # SKIP gcc is not installed")
        return 0
    files = examples()
    ok(set(files) == {"baseline.sh", "gate.sh", "CMakeLists.txt", "meson.build", "test_memory.py", "Containerfile"}, "all examples are tested", sorted(files))
    with tempfile.TemporaryDirectory() as top:
        top = os.path.realpath(top)
        well, leaking = Place(top, files, False), Place(top, files, True)
        for check in (check_shell, check_ctest, check_meson, check_pytest):
            check(well, leaking)
        check_container(files["Containerfile"])
    print(f"1..{COUNT[0]}")
    return 1 if COUNT[1] else 0


sys.exit(main())
