"""Root folders of Debian's suites, for tests that need another system than this one; needs root and mmdebstrap."""
import os
import shutil
import subprocess

CHROOT = shutil.which("chroot", path="/usr/sbin:/usr/bin:/sbin:/bin")


def make(suite, root, packages, variant):
    """Makes the root folder from where apt has its packages here. Returns None, or what went wrong."""
    targets = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"],
                             capture_output=True, text=True, check=True).stdout.split()
    # A mirror that stands still has an old list of unstable, which is signed for a week; here that is as good as any.
    done = subprocess.run(["mmdebstrap", f"--variant={variant}", '--aptopt=Acquire::Check-Valid-Until "false"',
                           f"--include={','.join(packages)}", suite, root, targets[0]], capture_output=True, text=True, check=False)
    return " ".join(done.stderr.strip().splitlines()[-3:]) if done.returncode else None


def kept(name, suite, packages, program):
    """The root folder build/roots/NAME with the packages unpacked, not set up; made anew if it lacks the program. None, and
    the reason said, if it cannot be had."""
    root = os.path.abspath(os.path.join("build", "roots", name))
    if os.path.exists(root + program):
        return root
    shutil.rmtree(root, ignore_errors=True)
    os.makedirs(os.path.dirname(root), exist_ok=True)
    wrong = make(suite, root, packages, "extract")
    if wrong:
        print(f"# {suite}:", wrong)
        return None
    for link, target in (("bin", "usr/bin"), ("lib", "usr/lib"), ("lib64", "usr/lib64")):
        if not os.path.lexists(os.path.join(root, link)):
            os.symlink(target, os.path.join(root, link))
    if not os.path.lexists(root + "/bin/sh"):
        os.symlink("bash", root + "/bin/sh")
    return root


class Proc:
    """/proc in a root folder, for the time of a with."""

    def __init__(self, root):
        self.path = root + "/proc"

    def __enter__(self):
        subprocess.run(["mount", "-t", "proc", "proc", self.path], check=True)

    def __exit__(self, *_):
        subprocess.run(["umount", self.path], check=True)
