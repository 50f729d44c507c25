#!/usr/bin/python3
"""`make deb` and `make rpm`: the same files in both, each in one package; lintian finds no error; on a fresh Debian the
packages install, do what they are for, and are purged without leaving anything."""
import glob
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

sys.path.insert(0, "tests/lib")
import roots  # noqa: E402
from valtest import BUILD, Tap  # noqa: E402

MAKE = ["make", "-s", *([f"BUILD={os.environ['BUILD']}"] if "BUILD" in os.environ else [])]
# Debian's names of the packages, and the other distributions'.
PACKAGES = {"valtrace": "valtrace", "libvaltrace-dev": "libvaltrace-devel", "libfd-dev": "libfd-devel", "fd-tools": "fd-tools"}
READERS = ["man-db", "bash-completion", "zsh", "fish"]
# What dpkg, man and the loader write about what there was.
BOOKS = re.compile(r"/(var/(lib/dpkg|log|cache)|etc/ld\.so\.cache|tmp|proc|root)(/|$)")


def run(*argv, **options):
    return subprocess.run(argv, capture_output=True, text=True, check=False, **options)


def deb_files(path):
    data = subprocess.run(["dpkg-deb", "--fsys-tarfile", path], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {"/" + os.path.normpath(member.name) for member in archive if not member.isdir()}


def rpm_files(path):
    return set(run("rpm", "-qlp", "--nosignature", path).stdout.split())


def common(files):
    """The files as all distributions have them: documents about the package and build ids are their own business."""
    plain = {re.sub(r"^/usr/lib(64|/x86_64-linux-gnu)/", "/usr/lib/", f).removesuffix(".gz").replace("/zsh/vendor-completions/", "/zsh/site-functions/")
             for f in files}
    return {f for f in plain if not f.startswith(("/usr/share/doc/", "/usr/lib/.build-id"))}


def check_contents(tap, debs, rpms):
    files = {name: common(deb_files(path)) for name, path in debs.items()}
    for name, other in PACKAGES.items():
        got = common(rpm_files(rpms[other]))
        tap.ok(got == files[name] and got, f"{name}: rpm and deb have the same files", [sorted(got ^ files[name])])
    tap.equal(sum(map(len, files.values())), len(set().union(*files.values())), "each file is in one package")
    tap.ok(not [f for f in files["valtrace"] if re.search(r"fd_|/fd/|libfd", f)] and "/usr/bin/valtrace" in files["valtrace"],
           "the tracer comes without the allocators", [files["valtrace"]])
    tap.ok(files["libvaltrace-dev"] >= {"/usr/include/valtrace/annotate.h", "/usr/lib/pkgconfig/valtrace.pc"}, "annotate.h is in libvaltrace-dev")
    tap.ok(files["fd-tools"] >= {"/usr/bin/fd_wksp_ctl", "/usr/bin/fd_shmem_ctl"} and "/usr/lib/libfd.a" in files["libfd-dev"], "the allocators are in packages of theirs")


def check_fields(tap, debs, rpms):
    with open("VERSION", encoding="ascii") as file:
        version = file.read().strip()
    got = {run("dpkg-deb", "-f", path, "Version").stdout.strip() for path in debs.values()}
    tap.equal(got, {version}, "debs: the version is that of VERSION")
    got = {run("rpm", "-qp", "--nosignature", "--qf", "%{VERSION}", path).stdout for path in rpms.values()}
    tap.equal(got, {version}, "rpms: the version is that of VERSION")
    tap.ok("python" not in run("dpkg-deb", "-f", debs["valtrace"], "Depends").stdout and "python" not in run("rpm", "-qp", "--requires", rpms["valtrace"]).stdout,
           "the tracer needs no Python")


def check_lintian(tap):
    changes = glob.glob(f"{BUILD}/deb/*.changes")
    done = run("lintian", "--allow-root", "--fail-on", "error", *changes)
    tap.ok(done.returncode == 0 and len(changes) == 1, "lintian: no error", [done.stdout, done.stderr])


def needs_of(debs):
    """Names of the packages that the control files name, without ours."""
    fields = run("dpkg-deb", "-f", debs["valtrace"], "Depends").stdout, run("dpkg-deb", "-f", debs["fd-tools"], "Depends").stdout, \
        run("dpkg-deb", "-f", debs["libfd-dev"], "Depends").stdout
    return sorted({re.match(r"[\w.+-]+", word.strip())[0] for field in fields for word in field.split(",") if word.strip()} - set(PACKAGES))


def everything(root):
    """All names in a root folder, but for what is written about packages."""
    names = {os.path.join(at, name)[len(root):] for at, folders, files in os.walk(root) for name in folders + files}
    return {name for name in names if not BOOKS.match(name)}


def check_use(tap, inside):
    """What the packages are for, in the root folder."""
    plain, done = inside("ls", "/usr"), inside("valtrace", "run", "-q", "-o", "/tmp/t.vtr", "--", "ls", "/usr")
    tap.ok(done.returncode == 0 and (done.stdout, done.stderr) == (plain.stdout, ""), "installed: records", [done])
    done = inside("valtrace", "report", "/tmp/t.vtr")
    tap.ok(done.returncode == 0 and "record            complete" in done.stdout, "installed: reports", [done])
    done = inside("valtrace", "html", "/tmp/t.vtr")
    tap.ok(done.returncode == 0 and "</html>" in done.stdout, "installed: makes a page", [done.stderr])
    for page, section in (("valtrace", 1), ("valtrace-run", 1), ("valtrace-preload", 7)):
        done = inside("man", "-P", "cat", page)
        tap.ok(done.returncode == 0 and f"{page.upper()}({section})" in done.stdout, f"installed: man {page}", [done])
    done = inside("bash", "-c", ". /usr/share/bash-completion/bash_completion; _completion_loader valtrace; complete -p valtrace")
    tap.ok(done.stdout.startswith("complete ") and done.stdout.endswith(" valtrace\n"), "installed: completion in bash", [done])
    done = inside("zsh", "-fc", "autoload -U compinit; compinit -u -D; print $_comps[valtrace]")
    tap.equal(done.stdout, "_valtrace\n", "installed: completion in zsh")
    done = inside("fish", "-c", "complete -C 'valtrace rep'")
    tap.ok("report" in done.stdout, "installed: completion in fish", [done])


def check_root(tap, debs, root):
    os.chmod(root, 0o755)

    def inside(*argv):
        return run(roots.CHROOT, root, *argv, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"})

    os.makedirs(root + "/tmp/debs")
    for path in debs.values():
        shutil.copy(path, root + "/tmp/debs")
    with roots.Proc(root):
        before = everything(root)
        done = inside("dpkg", "-i", "/tmp/debs/" + os.path.basename(debs["valtrace"]))
        tap.ok(done.returncode == 0, "fresh Debian: valtrace installs alone", [done.stdout, done.stderr])
        check_use(tap, inside)
        done = inside("dpkg", "-i", *("/tmp/debs/" + os.path.basename(path) for path in debs.values()))
        tap.ok(done.returncode == 0 and inside("fd_wksp_ctl", "--help").returncode == 0, "fresh Debian: the others install, too", [done.stdout, done.stderr])
        done = inside("dpkg", "--purge", *PACKAGES)
        left = everything(root) ^ before
        tap.ok(done.returncode == 0 and not left, "purged: nothing is left", [done.stderr, sorted(left)[:20]])


def main():
    tap = Tap()
    for target in ("deb", "rpm"):
        done = run(*MAKE, target)
        if not tap.ok(done.returncode == 0, f"make {target}", [done.stderr]):
            tap.done()
    debs = {name: glob.glob(f"{BUILD}/deb/{name}_*.deb")[0] for name in PACKAGES}
    rpms = {name: glob.glob(f"{BUILD}/rpm/{name}-[0-9]*.rpm")[0] for name in PACKAGES.values()}
    check_contents(tap, debs, rpms)
    check_fields(tap, debs, rpms)
    check_lintian(tap)
    if os.getuid() == 0:
        with tempfile.TemporaryDirectory(prefix="valtest-packages-") as folder:
            wrong = roots.make("bookworm", folder, needs_of(debs) + READERS, "minbase")
            if tap.ok(not wrong, "a fresh Debian 12", [wrong]):
                check_root(tap, debs, folder)
    else:
        tap.skip("a fresh Debian 12", "needs root")
    tap.done()


main()
