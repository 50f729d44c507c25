"""The real programs of tests/matrix/programs.toml, and the folder they run in."""
import os
import re
import shlex
import shutil
import tomllib

TABLE = "tests/matrix/programs.toml"
SOURCES = "tests/matrix/sources"
# What programs choose by chance or by the user is chosen for them.
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "TERM": "xterm", "PYTHONHASHSEED": "1",
               "PYTHONDONTWRITEBYTECODE": "1", "PERL_HASH_SEED": "0", "SOURCE_DATE_EPOCH": "0", "TZ": "UTC", "PAGER": "cat",
               "GIT_AUTHOR_DATE": "@0 +0000", "GIT_COMMITTER_DATE": "@0 +0000"}


def programs():
    with open(TABLE, "rb") as file:
        return tomllib.load(file)["program"]


def result_path(build, program):
    """Where what was last seen of a program is kept."""
    return os.path.join(build, "matrix", re.sub(r"[^a-z0-9]+", "-", program["name"].lower()) + ".json")


def missing(program):
    """The command that shows whether a program is installed, if that is not there."""
    words = [word for word in shlex.split(program["run"], comments=False)[:3] if "=" not in word]
    command = program.get("needs", words[0])
    return None if shutil.which(command, path=ENVIRONMENT["PATH"]) else command


def prepare(place):
    """Empties the folder but for the sources; what programs need in their environment to run there."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(SOURCES, place)
    os.chmod(place, 0o755)
    return {**ENVIRONMENT, "HOME": place}
