#!/usr/bin/python3
"""Real run-times, those that are there: how many of their stacks through generated code are whole, how much of that code
has a name, and what the switches of docs/generated-code.md change. What that page promises is what is checked; the
table it has is printed."""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import VALTRACE, Tap  # noqa: E402

NODE = """
function leaf(i) { return Buffer.allocUnsafeSlow(100000 + i); }
function mid(i) { return leaf(i); }
for (let i = 0; i < 3000; i++) mid(i);
"""
JAVA = """
import java.util.zip.*;
public class W {
  static int touch(int i) { Deflater d = new Deflater(1 + i % 8); byte[] b = new byte[64], o = new byte[256];
    d.setInput(b); d.finish(); int n = d.deflate(o); d.end(); return n; }
  static int a(int i) { return i % 3 == 0 ? touch(i) : b(i) + 1; }
  static int b(int i) { int x = i * 7, y = i ^ 5, z = i + 9; return c(i, x, y, z) + x + y + z; }
  static int c(int i, int x, int y, int z) { return (i % 5 == 0 ? d(i - 1) : touch(i)) + x * y + z; }
  static int d(int i) { return i <= 0 ? touch(1) : a(i / 2) + 1; }
  public static void main(String[] args) { long s = 0; for (int i = 0; i < 20000; i++) s += a(i); System.out.println(s); }
}
"""
MONO = """
using System; using System.Runtime.InteropServices;
class M {
  [DllImport("libc")] static extern IntPtr strdup(string s);
  static int Touch(int i) { strdup("hello"); return i; }
  static int A(int i) { return i % 3 == 0 ? Touch(i) : Touch(i + 1) + 1; }
  static void Main() { long s = 0; for (int i = 0; i < 3000; i++) s += A(i); Console.WriteLine(s); }
}
"""
LUA = """
local ffi = require "ffi"
ffi.cdef "char *strdup(const char *); void free(void *);"
local function f(i) local p = ffi.C.strdup("hello"); if i % 2 == 0 then ffi.C.free(p) end end
for i = 1, 5000 do f(i) end
"""
ERL = "L = [integer_to_binary(X) || X <- lists:seq(1, 200000)], io:format(\"~p~n\", [erlang:md5(L)]), halt(0)."
PHP = """<?php
function leaf($i) { return str_repeat("x", 3000 + $i % 7); }
function mid($i) { return strlen(leaf($i)); }
$s = 0; for ($i = 0; $i < 20000; $i++) $s += mid($i);
echo $s, "\\n";
"""
RUBY = "def leaf(i) = ('x' * (2000 + i % 7)).size\ndef mid(i) = leaf(i)\ns = 0\n20000.times { |i| s += mid(i) }\nputs s\n"
PYTHON = "import json\ndef leaf(i): return json.dumps([str(x) for x in range(50)])\ndef mid(i): return leaf(i)\nfor i in range(300): mid(i)\n"
GO = """
package main

/*
#include <stdlib.h>
#include <string.h>
static char *volatile sink;
static void leaf(void) { sink = strdup("hello"); free(sink); }
*/
import "C"

//go:noinline
func deep(n int) {
  if n == 0 {
    C.leaf()
    return
  }
  deep(n - 1)
}
func main() {
  done := make(chan bool)
  for g := 0; g < 4; g++ {
    go func() {
      for i := 0; i < 500; i++ {
        deep(5)
      }
      done <- true
    }()
  }
  for g := 0; g < 4; g++ {
    <-done
  }
}
"""
LLVM = """
declare i8* @strdup(i8*)
@text = private constant [6 x i8] c"hello\\00"
define void @leaf() noinline {
  %p = call i8* @strdup(i8* getelementptr ([6 x i8], [6 x i8]* @text, i64 0, i64 0))
  ret void
}
define i32 @main() {
  br label %loop
loop:
  %i = phi i32 [0, %0], [%next, %loop]
  call void @leaf()
  %next = add i32 %i, 1
  %end = icmp eq i32 %next, 2000
  br i1 %end, label %out, label %loop
out:
  ret i32 0
}
"""
BOOST = """
#include <boost/context/detail/fcontext.hpp>
#include <cstdlib>
#include <cstring>
using namespace boost::context::detail;
char *volatile sink;
static void inside(transfer_t t) {
  for (;;) { sink = strdup("hello"); t = jump_fcontext(t.fctx, nullptr); }
}
int main() {
  char *stack = static_cast<char *>(std::malloc(65536));
  transfer_t t{make_fcontext(stack + 65536, 65536, inside), nullptr};
  for (int i = 0; i < 1000; i++) t = jump_fcontext(t.fctx, nullptr);
  return 0;
}
"""


def record(folder, command, env, *options):
    trace = os.path.join(folder, "t.vtr")
    if os.path.exists(trace):
        os.remove(trace)
    subprocess.run([VALTRACE, "run", "-q", *options, "-o", trace, "--", *command], check=True, timeout=600, cwd=folder,
                   env={**os.environ, **env}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    out = subprocess.run([VALTRACE, "report", "--json", "--limit", "10000000", "--show-runtime-frames", trace], check=True,
                         capture_output=True).stdout
    return json.loads(out)


def measure(data):
    """Of allocations through generated code: how many there are, are cut, and how many of their frames have names."""
    through, cut, frames, named = 0, 0, 0, 0
    for site in data["sites"]:
        generated = [frame for frame in site["stack"] if frame["module"] in ("", "[jit]") and frame["function"] != "[stack truncated]"]
        is_cut = site["stack"][-1]["function"] == "[stack truncated]"
        if generated or is_cut:
            through += site["allocations"]
            cut += is_cut * site["allocations"]
        frames += len(generated) * site["allocations"]
        named += sum(frame["module"] == "[jit]" for frame in generated) * site["allocations"]
    return {"all": data["totals"]["allocations"], "through": through, "cut": 100 * cut / through if through else 0.0,
            "named": 100 * named / frames if frames else None}


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def newest(pattern):
    found = sorted(glob.glob(os.path.expanduser(pattern)))
    return found[-1] if found else None


class Table:
    def __init__(self, tap, folder):
        self.tap, self.folder, self.rows = tap, folder, []

    def row(self, name, command, env=None, options=(), cut_max=100.0, named_min=None):
        """One run; the highest share of cut stacks and the lowest of named frames that the page promises."""
        have = measure(record(self.folder, command, env or {}, *options))
        named = "-" if have["named"] is None else f"{have['named']:.0f} %"
        self.rows.append(f"{name:42} {have['all']:>8} {have['through']:>8} {have['cut']:6.1f} % {named:>6}")
        self.tap.ok(have["cut"] <= cut_max and (named_min is None or (have["named"] is not None and have["named"] >= named_min)),
                    f"{name}: {have}, cut at most {cut_max} %, named at least {named_min}")

    def skip(self, name, why):
        self.tap.ok(True, f"{name} # SKIP {why}")


def rows_java(table, folder):
    if not shutil.which("javac"):
        return table.skip("java", "no javac")
    subprocess.run(["javac", write(folder, "W.java", JAVA)], check=True, cwd=folder)
    table.row("java", ["java", "W"], cut_max=10)
    table.row("java --jit-names", ["java", "W"], options=["--jit-names"], cut_max=10, named_min=99)
    table.row("java -Xint --jit-names", ["java", "-Xint", "W"], options=["--jit-names"], cut_max=10, named_min=99)
    table.row("java -XX:+PreserveFramePointer --jit-names", ["java", "-XX:+PreserveFramePointer", "W"], options=["--jit-names"],
              cut_max=10, named_min=99)
    return None


def rows_mono(table, folder):
    if not shutil.which("mcs"):
        return table.skip("mono", "no mcs")
    subprocess.run(["mcs", write(folder, "M.cs", MONO)], check=True, cwd=folder)
    table.row("mono", ["mono", "M.exe"])
    table.row("mono --jit-names", ["mono", "M.exe"], options=["--jit-names"], named_min=90)
    return None


def rows_compiled(table, folder):
    go = shutil.which("go") or newest("/usr/lib/go-*/bin/go")
    if go:
        subprocess.run([go, "build", "-o", "calls", write(folder, "calls.go", GO)], check=True, cwd=folder,
                       env={**os.environ, "GOCACHE": os.path.join(folder, "cache"), "CGO_ENABLED": "1"})
        table.row("go, calls of C", [os.path.join(folder, "calls")])
        data = json.loads(subprocess.run([VALTRACE, "report", "--json", "--function", "leaf", os.path.join(folder, "t.vtr")], check=True,
                                         capture_output=True).stdout)
        whole = sum(site["allocations"] for site in data["sites"] if site["stack"][-1]["function"] == "runtime.goexit")
        table.tap.equal(whole, 2000, "go: each call of C has the goroutine's stack to its end")
    else:
        table.skip("go", "no go")
    if shutil.which("lli"):
        table.row("lli (LLVM)", ["lli", write(folder, "l.ll", LLVM)], cut_max=0, named_min=99)
    else:
        table.skip("lli", "no lli")
    if glob.glob("/usr/include/boost/context/detail/fcontext.hpp"):
        subprocess.run(["g++", "-O1", "-o", "made", write(folder, "made.cc", BOOST), "-lboost_context"], check=True, cwd=folder)
        table.row("boost.context", [os.path.join(folder, "made")], cut_max=0)
    else:
        table.skip("boost.context", "no header")


def rows_scripts(table, folder):
    python = newest("~/.pyenv/versions/3.1[2-9]*/bin/python3.1[2-9]") or shutil.which("python3.12")
    php = ["-d", "opcache.enable_cli=1", "-d", "opcache.jit_buffer_size=16M", "-d", "opcache.jit=tracing"]
    wanted = [
        ("node", "node", lambda: [(("node", [write(folder, "n.js", NODE)]), {}, 1, None), (("node", [write(folder, "n.js", NODE)]), {"names": 1}, 1, 99)]),
        ("luajit", "luajit", lambda: [(("luajit", [write(folder, "l.lua", LUA)]), {}, 100, None),
                                      (("luajit -joff", ["-joff", write(folder, "l.lua", LUA)]), {}, 100, None)]),
        ("erl", "erl", lambda: [(("erl (BEAM)", ["-noshell", "-eval", ERL]), {}, 100, None),
                                (("erl +JPperf true", ["+JPperf", "true", "-noshell", "-eval", ERL]), {}, 100, None)]),
        ("php", "php", lambda: [(("php", [write(folder, "p.php", PHP)]), {"env": {"USE_ZEND_ALLOC": "0"}}, 100, None),
                                (("php, JIT", [*php, write(folder, "p.php", PHP)]), {"env": {"USE_ZEND_ALLOC": "0"}}, 100, None),
                                (("php, JIT, opcache.jit_debug=16", [*php, "-d", "opcache.jit_debug=16", write(folder, "p.php", PHP)]),
                                 {"env": {"USE_ZEND_ALLOC": "0"}}, 100, None)]),
        ("ruby", "ruby", lambda: [(("ruby", [write(folder, "r.rb", RUBY)]), {}, 0, None)]),
        ("python 3.12", python, lambda: [(("python 3.12", [write(folder, "y.py", PYTHON)]), {}, 0, None),
                                         (("python 3.12 --jit-names", [write(folder, "y.py", PYTHON)]), {"names": 1}, 0, 99)]),
    ]
    for name, program, rows in wanted:
        program = program and shutil.which(program)
        if not program:
            table.skip(name, "not here")
            continue
        for (label, args), how, cut_max, named_min in rows():
            options = ["--jit-names"] if how.get("names") else []
            label += " --jit-names" if how.get("names") and "names" not in label else ""
            table.row(label, [program, *args], env={"PYTHONMALLOC": "malloc", **how.get("env", {})}, options=options, cut_max=cut_max,
                      named_min=named_min)


def main():
    tap = Tap()
    folder = tempfile.mkdtemp(prefix="valtest-runtimes-")
    before = set(glob.glob("/tmp/perf-*.map"))
    table = Table(tap, folder)
    rows_scripts(table, folder)
    rows_java(table, folder)
    rows_mono(table, folder)
    rows_compiled(table, folder)
    print(f"# {'':42} {'allocs':>8} {'through':>8} {'cut':>8} {'named':>6}")
    for row in table.rows:
        print("#", row)
    for path in set(glob.glob("/tmp/perf-*.map")) - before:
        os.remove(path)
    shutil.rmtree(folder)
    tap.done()


main()
