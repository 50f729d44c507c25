#!/usr/bin/env python3
"""Completion for zsh and fish, asked in the shells themselves: a line is typed, and what completes it is read."""
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from tap import COUNT, ok, skip  # noqa: E402

ROOT = os.getcwd()
BIN = os.path.abspath(os.path.join(os.environ.get("BUILD", "build"), "bin"))
VALTRACE = f"{BIN}/valtrace"
HANG_S = 120  # a shell that answers nothing for so long hangs


def options_of(command):
    text = subprocess.run([VALTRACE, command, "--help"], capture_output=True, text=True, check=True).stdout
    columns = [re.sub(r"   *[^- ].*", "", line) for line in text.splitlines() if re.match(r" +-", line)]
    return {o for column in columns for o in re.findall(r"--[a-z][a-z-]+", column)}


def commands():
    text = subprocess.run([VALTRACE, "--help"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^  ([a-z][a-z-]*) +\S", text, re.M))


class Fish:
    """`complete -C LINE` prints what completes a line."""

    def __init__(self, folder):
        self.folder = folder

    def ask(self, line):
        done = subprocess.run(["fish", "--no-config", "-c", f"source {ROOT}/tools/completion/valtrace.fish; complete -C $argv[1]", line],
                              cwd=self.folder, env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "HOME": self.folder},
                              capture_output=True, text=True, check=False, timeout=HANG_S)
        return {answer.split("\t")[0] for answer in done.stdout.splitlines()}

    def close(self):
        pass


class Zsh:
    """A line editor on a terminal; a key puts in all matches, another one hands the line over through a pipe."""

    def __init__(self, folder):
        self.pipe = os.path.join(folder, "line")
        os.mkfifo(self.pipe)
        setup = os.path.join(folder, "setup")
        os.mkdir(f"{folder}/functions")
        shutil.copy(f"{ROOT}/tools/completion/_valtrace", f"{folder}/functions/_valtrace")
        with open(setup, "w", encoding="utf-8") as file:
            file.write(f"""PS1= RPS1= ; unsetopt zle_bracketed_paste 2>/dev/null; unset zle_bracketed_paste
fpath=({folder}/functions $fpath)
autoload -Uz compinit && compinit -u -D
zle -C all complete-word _generic
zstyle ':completion:all:*' completer _all_matches _complete
zstyle ':completion:*' insert true
zstyle ':completion:*' insert-tab false
bindkey '^X' all
hand() {{ print -r -- "$BUFFER" >{self.pipe}; BUFFER= }}
zle -N hand; bindkey '^G' hand
cd {folder}
zle-line-init() {{ zle -D zle-line-init; print -r -- ready >{self.pipe} }}
zle -N zle-line-init
""")
        self.pid, self.terminal = pty.fork()
        if not self.pid:
            os.environ.update(PATH=f"{BIN}:{os.environ['PATH']}", TERM="dumb", HOME=folder)
            os.execvp("zsh", ["zsh", "-f", "-i"])
        self.write(f". {setup}\r")
        self.read()

    def write(self, text):
        os.write(self.terminal, text.encode())

    def read(self):
        with open(self.pipe, encoding="utf-8") as file:
            return file.read()

    def ask(self, line):
        self.write(line + "\x18\x07")
        answer = self.read()[line.rfind(" ") + 1:].split()
        return {a.replace("\\", "") for a in answer} - {line.split(" ")[-1]}

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.terminal)


def check(shell, name):
    got = shell.ask("valtrace re")
    ok(got == {"report"}, f"{name}: a command by its beginning", got)
    got = shell.ask("valtrace ")
    ok(got >= commands(), f"{name}: all commands", got)
    for command in sorted(commands()):
        got = {o for o in shell.ask(f"valtrace {command} --") if o.startswith("--")} - {"--"}
        ok(got == options_of(command), f"{name}: {command}: the long options of its help", got ^ options_of(command))
    got = shell.ask("valtrace diff --format ")
    ok(got == {"text", "github", "junit", "sarif"}, f"{name}: formats of a gate", got)
    got = shell.ask("valtrace export --format ")
    ok("pprof" in got and "junit" not in got, f"{name}: formats of an export", got)
    got = shell.ask("valtrace report --by l")
    ok(got == {"line"}, f"{name}: what to group by", got)
    got = shell.ask("valtrace report ")
    ok(got >= {"leaks", "timeline", "a.vtr"} and "b.txt" not in got, f"{name}: views and traces", got)
    got = shell.ask("valtrace report leaks ")
    ok("a.vtr" in got and not got & {"b.txt", "peak"}, f"{name}: after a view traces only", got)
    got = shell.ask("valtrace import b")
    ok(got == {"b.txt"}, f"{name}: other files when no trace fits", got)
    got = shell.ask("valtrace run -q --format github -- ./pro")
    ok(got == {"./program"}, f"{name}: run: the program", got)
    got = shell.ask("valtrace run -o x ./program b")
    ok("b.txt" in got, f"{name}: run: the program's arguments", got)


def main():
    signal.alarm(HANG_S)
    for name, kind in (("zsh", Zsh), ("fish", Fish)):
        if not shutil.which(name):
            skip(name)
            continue
        with tempfile.TemporaryDirectory() as folder:
            for file in ("a.vtr", "b.txt", "program"):
                with open(f"{folder}/{file}", "w", encoding="utf-8"):
                    pass
            os.chmod(f"{folder}/program", 0o755)
            shell = kind(folder)
            check(shell, name)
            shell.close()
    print(f"1..{COUNT[0]}")
    return 1 if COUNT[1] else 0


sys.exit(main())
