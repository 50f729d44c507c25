"""The symbolizer by itself (test_symbolize), and what it and the addr2line programs print brought to one form."""
import os
import re
import subprocess

SYMBOLIZE = os.path.abspath(f"{os.environ.get('BUILD', 'build')}/bin/test_symbolize")


def run(*args, **more):
    return subprocess.run(args, capture_output=True, check=False, **more)


def symbolize(elf, offsets):
    done = run(SYMBOLIZE, elf, input="\n".join(f"{o:x}" for o in offsets).encode())
    lines = done.stdout.decode(errors="replace").splitlines()
    return done, [line for line in lines if not line.startswith("0x")]


def by_address(text):
    """The cleaned lines of each address, in order."""
    return [clean(part.splitlines()[1:]) for part in ("\n" + text).split("\n0x")[1:]]


def clean(lines):
    """Function and line in the form both tools can be brought to; assembler aliases are dropped."""
    out = []
    for line in lines:
        line = re.sub(r" inlined( at .*)?$", "", re.sub(r" \(discriminator.*", "", line))
        place = re.match(r"^(.*/.*?):(\d+)(:\d+)?$", line)
        out.append(f"{os.path.normpath(place[1])}:{place[2]}" if place else re.sub(r"^(__GI_|__)+", "", line))
    return out
