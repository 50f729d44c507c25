#!/usr/bin/python3
"""Gates for machines: --format github, junit, sarif of check-budget, diff and run. What they say is read by
second readers (GitHub's escaping undone as its documentation says, junitparser, xml.etree, SARIF's structure) and
compared with the lines that were planted; names that want escaping come out as they went in."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
import xml.etree.ElementTree

sys.path.insert(0, "tests/lib")
from tap import COUNT, ok, skip  # noqa: E402

VALTRACE = os.path.abspath(os.path.join(os.environ.get("BUILD", "build"), "bin", "valtrace"))
PROGRAM = r"""#include <stdlib.h>
#include <string.h>
static char *volatile sink;
__attribute__((noinline)) static void direct(int n) { while (n--) sink = malloc(1000); }
__attribute__((noinline)) static void copied(void) {
  sink = strdup("by a function of libc");
  sink = NULL;
}
int main(int argc, char **argv) {
  direct(argc);
  copied();
  return argc > 2 ? 7 : argv == NULL;
}
"""
HOSTILE = 'o,d:d%0A<&>"\'é.c'
LINES = {"direct": 4, "copied": 6}


def run(folder, *args):
    return subprocess.run([VALTRACE, *args], cwd=folder, capture_output=True, text=True, check=False)


def unescape(text, property_too):
    """As the runner of GitHub Actions reads a command."""
    if property_too:
        text = text.replace("%3A", ":").replace("%2C", ",")
    return text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


def github(text):
    """[(properties, message)] of workflow commands; every line must be one."""
    found = []
    for line in text.splitlines():
        match = re.fullmatch(r"::error( [^:]*)?::(.*)", line)
        assert match, line
        pairs = dict(p.split("=", 1) for p in (match[1] or " ")[1:].split(",") if p)
        found.append(({k: unescape(v, True) for k, v in pairs.items()}, unescape(match[2], False)))
    return found


def junit(text):
    """{check: failure text or None} by two readers."""
    root = xml.etree.ElementTree.fromstring(text)
    cases = {c.get("name"): c.findtext("failure") for c in root.iter("testcase")}
    suites = list(root.iter("testsuite"))
    assert [int(suites[0].get(k)) for k in ("tests", "failures")] == [len(cases), sum(t is not None for t in cases.values())]
    return cases


def second_reader(folder, text, name):
    try:
        import junitparser
    except ImportError:
        skip("junitparser")
        return
    path = os.path.join(folder, "read.xml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    suite = next(iter(junitparser.JUnitXml.fromfile(path)))
    read = {case.name: [r.text for r in case.result if isinstance(r, junitparser.Failure)] for case in suite}
    ok(read == {k: [v] if v is not None else [] for k, v in junit(text).items()}, f"{name}: junitparser reads the same", read)


def sarif(text):
    """[(rule, file or None, line, message)] after a look at the structure that SARIF 2.1.0 demands."""
    log = json.loads(text)
    assert log["version"] == "2.1.0" and len(log["runs"]) == 1
    part = log["runs"][0]
    rules = [rule["id"] for rule in part["tool"]["driver"]["rules"]]
    assert part["tool"]["driver"]["name"] == "valtrace" and len(set(rules)) == len(rules)
    found = []
    for result in part["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"] and result["level"] == "error" and result["message"]["text"]
        place = (result.get("locations") or [{}])[0].get("physicalLocation")
        uri = place and urllib.parse.unquote(place["artifactLocation"]["uri"])
        if place and place["artifactLocation"].get("uriBaseId"):
            assert part["originalUriBaseIds"][place["artifactLocation"]["uriBaseId"]]["uri"].endswith("/")
        found.append((result["ruleId"], uri, place and place["region"]["startLine"], result["message"]["text"]))
        for frame in (f for s in result.get("stacks", []) for f in s["frames"]):
            assert frame["location"]["logicalLocations"][0]["fullyQualifiedName"]
    return found


def places(folder, *args):
    """The places of a gate by each format: {(check, file, line)}, and whether all say the same."""
    done = {f: run(folder, *args, "--format", f) for f in ("github", "junit", "sarif")}
    by_github = {(p["title"].removeprefix("valtrace: "), p.get("file"), p.get("line") and int(p["line"])) for p, _ in github(done["github"].stdout)}
    by_sarif = {(rule, uri, line) for rule, uri, line, _ in sarif(done["sarif"].stdout)}
    by_junit = set()
    for check, text in junit(done["junit"].stdout).items():
        lines = re.findall(r"^(?! )(.*):(\d+): .*$", text or "", re.M)
        by_junit |= {(check, file, int(line)) for file, line in lines}
    name = " ".join(args)
    ok({d.returncode for d in done.values()} == {run(folder, *args).returncode}, f"{name}: the status is that of the text", done)
    ok(by_github == by_sarif == by_junit, f"{name}: three formats, the same places", by_github, by_sarif, by_junit)
    second_reader(folder, done["junit"].stdout, name)
    return by_github


def check_budget(folder):
    both = {("leaky.c", line) for line in LINES.values()}
    ok(places(folder, "check-budget", "--max-live", "10", "a.vtr") == {("live bytes", *p) for p in both},
       "check-budget: at the user's lines, not in libc")
    ok(places(folder, "check-budget", "--max-lost", "10", "a.vtr") == {("lost bytes", *p) for p in both}, "check-budget: lost")
    ok(places(folder, "check-budget", "--max-live", "10", "--limit", "1", "a.vtr") == {("live bytes", "leaky.c", 4)}, "the worst first")
    ok(places(folder, "check-budget", "--max-live", "1G", "--max-peak", "1G", "a.vtr") == set(), "within budget: nothing")
    passed = junit(run(folder, "check-budget", "--max-live", "1G", "--max-peak", "1", "--format", "junit", "a.vtr").stdout)
    ok(passed["live bytes"] is None and passed["peak bytes"], "junit: checks that passed are there", passed)
    message = github(run(folder, "check-budget", "--max-live", "10", "--format", "github", "b.vtr").stdout)[0][1]
    ok(message.startswith("1.95 KiB in 2 blocks live at the end in direct; "), "the sum of a line", message)
    stack = junit(run(folder, "check-budget", "--max-live", "10", "--format", "junit", "a.vtr").stdout)["live bytes"]
    ok("    at copied (leaky.c:6)\n    at main (leaky.c:11)\n" in stack, "junit: with the stack", stack)


def check_diff(folder):
    ok(places(folder, "diff", "--fail-if", "live>0", "--fail-if", "frees>1G", "a.vtr", "b.vtr") ==
       {("live>0", "leaky.c", 4), ("live>0", "leaky.c", 6)}, "diff: a value is what there is")
    ok(places(folder, "diff", "--fail-if", "peak>+5%", "--fail-if", "peak>+5%", "a.vtr", "b.vtr") == {("peak>+5%", "leaky.c", 4)},
       "diff: a change is what changed")


def check_run(folder):
    def go(form, *args):
        return run(folder, "run", "-q", "--fail-on-leak", "--format", form, "-o", "r.vtr", "--", "./leaky", *args)
    done = go("github")
    lines = [line for line in done.stderr.splitlines() if line.startswith("::")]
    ok(done.returncode == 1 and not done.stdout and {p.get("line") for p, _ in github("\n".join(lines))} == {"4", "6"},
       "run: github on standard error", done)
    for form, name, reader in (("junit", "r.junit.xml", lambda t: "leaky.c:4" in junit(t)["lost"]),
                               ("sarif", "r.sarif", lambda t: {r[2] for r in sarif(t)} == {4, 6})):
        done = go(form)
        with open(f"{folder}/{name}", encoding="utf-8") as file:
            ok(done.returncode == 1 and not done.stdout and reader(file.read()), f"run: {form} beside the trace", done)
        os.unlink(f"{folder}/{name}")
        done = go(form, "x", "y")
        ok(done.returncode == 7 and os.path.exists(f"{folder}/{name}"), f"run: {form} is there when the program failed, its status too", done)
    done = run(folder, "run", "-q", "--fail-on-leak", "--format", "junit", "-o", "ok.vtr", "--", "/bin/true")
    with open(f"{folder}/ok.junit.xml", encoding="utf-8") as file:
        ok(done.returncode == 0 and junit(file.read()) == {"complete record": None, "lost": None}, "run: a program that is well passes", done)
    family = "./leaky >&2; (exec ./leaky >&2); true; exec /bin/true"
    done = run(folder, "run", "-q", "--fail-on-leak", "-d", "family", "--", "/bin/sh", "-c", family)
    lines = [line for line in done.stderr.splitlines() if " lost by leaky (process " in line]
    ok(done.returncode == 1 and len(lines) == 2 and len(set(lines)) == 2, "run: children that lost blocks are named", done)
    done = run(folder, "run", "-q", "--fail-on-leak", "--no-children", "-d", "alone", "--", "/bin/sh", "-c", family)
    ok(done.returncode == 0 and " lost " not in done.stderr, "run: those that are left out are not judged", done)
    done = run(folder, "run", "-q", "--fail-on-leak", "--format", "junit", "-o", "f.vtr", "--", "/bin/sh", "-c", family)
    with open(f"{folder}/f.junit.xml", encoding="utf-8") as file:
        checks = junit(file.read())
    ok(done.returncode == 1 and checks["lost"] is None and sum(name.startswith("lost by leaky (process ") for name in checks) == 2,
       "run: junit has a case for each", checks)
    with open(f"{folder}/replaced.c", "w", encoding="utf-8") as file:
        file.write("#include <stdlib.h>\n#include <unistd.h>\n__attribute__((noinline)) void lose(void) { for (int i = 0; i < 50; i++) *(volatile char *)malloc(100) = 1; }\n"
                   "int main(void) { lose(); return execl(\"/bin/true\", \"true\", (char *)0); }\n")
    subprocess.run(["gcc", "-O1", "-g", "-fno-builtin", "-o", f"{folder}/replaced", f"{folder}/replaced.c"], check=True)
    replaced = run(folder, "run", "-q", "--fail-on-leak", "-o", "e.vtr", "--", "./replaced")
    ok(replaced.returncode == 1 and " lost by replaced (process " in replaced.stderr, "run: a program that exec replaced is judged by what it had lost", replaced)
    os.mkdir(f"{folder}/taken.sarif")
    done = run(folder, "run", "-q", "--fail-on-leak", "--format", "sarif", "-o", "taken.vtr", "--", "/bin/true")
    ok(done.returncode == 4 and "taken.sarif" in done.stderr, "run: a verdict that cannot be written is an error", done)


def check_unknown(folder):
    made = run(folder, "run", "-q", "--no-snapshot", "-o", "u.vtr", "--", "./leaky")
    if made.returncode:
        return ok(False, "recorded without a snapshot", made)
    args = ("check-budget", "--max-lost", "0", "u.vtr")
    found = github(run(folder, *args, "--format", "github").stdout)
    ok(len(found) == 1 and "file" not in found[0][0] and "no snapshot" in found[0][1], "no verdict: said, at no line", found)
    found = sarif(run(folder, *args, "--format", "sarif").stdout)
    ok([f[:3] for f in found] == [("lost", None, None)], "no verdict: a SARIF result without a place", found)
    cases = junit(run(folder, *args, "--format", "junit").stdout)
    ok(list(cases) == ["complete record", "lost"] and cases["lost"] and cases["complete record"] is None, "no verdict: a JUnit failure", cases)
    return None


def check_incomplete(folder):
    """A record that lacks something passes nowhere, though no limit is exceeded in what is there."""
    with open(f"{folder}/a.vtr", "rb") as file:
        data = file.read()
    with open(f"{folder}/torn.vtr", "wb") as file:
        file.write(data[:len(data) * 9 // 10])
    for args in (["check-budget", "--max-peak", "1G", "torn.vtr"], ["diff", "--fail-if", "peak>1G", "a.vtr", "torn.vtr"],
                 ["diff", "--fail-if", "peak>1G", "torn.vtr", "a.vtr"]):
        done = {form: run(folder, *args, "--format", form) for form in ("github", "junit", "sarif")}
        failed = {check for check, text in junit(done["junit"].stdout).items() if text}
        ok({d.returncode for d in done.values()} == {1} and failed == {"complete record"} == {r[0] for r in sarif(done["sarif"].stdout)}
           and "the record is incomplete: " in github(done["github"].stdout)[0][1], f"{' '.join(args)}: every format says so", failed, done)


def check_hostile(folder):
    quoted = HOSTILE.replace('"', '\\"')
    with open(f"{folder}/hostile.c", "w", encoding="utf-8") as file:
        file.write(PROGRAM.replace("__attribute__((noinline)) static void copied", f'#line 5 "{quoted}"\n__attribute__((noinline)) static void copied'))
    subprocess.run(["gcc", "-g", "-O1", "-o", "hostile", "hostile.c"], cwd=folder, check=True)
    ok(run(folder, "run", "-q", "-o", "h.vtr", "--", "./hostile").returncode == 0, "recorded")
    want = [os.path.basename(p[1]) for p in places(folder, "check-budget", "--max-live", "10", "h.vtr") if p[2] == 6]
    ok(want == [HOSTILE], "a file name of separators and quotes comes out as it was", want)


def check_usage(folder):
    for args in (["check-budget", "--max-live", "1", "--format", "xml", "a.vtr"], ["check-budget", "--max-live", "1", "--format", "junit", "--json", "a.vtr"],
                 ["diff", "--format", "junit", "a.vtr", "b.vtr"], ["run", "--format", "junit", "--", "true"],
                 ["run", "--fail-on-leak", "--format", "gif", "--", "true"]):
        done = run(folder, *args)
        ok(done.returncode == 2 and done.stderr.count("\n") == 1, f"{' '.join(args)}: refused", done)


def main():
    if not shutil.which("gcc"):
        print("1..0 # SKIP gcc is not installed")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        folder = os.path.realpath(folder)
        with open(f"{folder}/leaky.c", "w", encoding="utf-8") as file:
            file.write(PROGRAM)
        subprocess.run(["gcc", "-g", "-O1", "-o", "leaky", "leaky.c"], cwd=folder, check=True)
        for name, args in (("a", []), ("b", ["x"])):
            ok(run(folder, "run", "-q", "-o", f"{name}.vtr", "--", "./leaky", *args).returncode == 0, "recorded")
        for check in (check_budget, check_diff, check_run, check_unknown, check_incomplete, check_hostile, check_usage):
            check(folder)
    print(f"1..{COUNT[0]}")
    return 1 if COUNT[1] else 0


sys.exit(main())
