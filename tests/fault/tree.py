# SPDX-License-Identifier: GPL-2.0-or-later
"""A small tree that is checkpointed and restarted while things go wrong.

What must hold whatever happens: a checkpoint that fails leaves the program
running and no image but a whole one; a restart that fails leaves no process.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.realpath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "support"))
import processes  # noqa: E402 (the path comes first)
from processes import Failure  # noqa: E402, F401

SECONDS = 60  # more is a hang
PROGRAM = os.path.join(processes.BUILD, "tests", "programs", "tree_mixed")


class Tree:
    """tree_mixed in a fresh folder, and what is asked of it."""

    def __enter__(self):
        os.makedirs(processes.WORK, exist_ok=True)
        self.work = tempfile.mkdtemp(prefix="fault.", dir=processes.WORK)
        self.dir = os.path.join(self.work, "dir")
        self.images = os.path.join(self.work, "images")
        os.mkdir(self.dir)
        os.mkdir(self.images)
        self.output = os.path.join(self.work, "output")
        self.image = os.path.join(self.work, "image")
        self.holder = None
        self.content = None  # of a whole image, without sizes
        return self

    def __exit__(self, kind, value, trace):
        for pid in self.inhabitants():
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass
        if self.holder:
            self.holder.wait()
        if kind is None:
            shutil.rmtree(self.work)
        else:
            print(f"kept in {self.work}")

    def inhabitants(self):
        """Processes that live in the work folder: all of a tree do."""
        found = []
        for entry in os.listdir("/proc"):
            try:
                where = os.readlink(f"/proc/{entry}/cwd")
            except OSError:
                continue
            if entry.isdigit() and (where + "/").startswith(self.work + "/"):
                found.append(int(entry))
        return found

    def start(self):
        self.holder = processes.spawn(
            [processes.CR, "run", "--", PROGRAM, self.dir], self.output)
        processes.wait_until(
            "ready", lambda: os.path.exists(os.path.join(self.dir, "ready")),
            SECONDS)

    def call(self, command, environment):
        """(exit code, text) of a command that lives in the work folder."""
        try:
            done = subprocess.run(
                command, cwd=self.work, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                timeout=SECONDS, check=False,
                env={**os.environ, **environment})
        except subprocess.TimeoutExpired as late:
            raise Failure(f"{command} {environment}: hangs") from late
        return done.returncode, done.stdout.decode(errors="replace")

    def checkpoint(self, image, *options):
        return [processes.CR, "checkpoint", str(self.holder.pid), "-o", image,
                *options]

    def try_checkpoint(self, environment, wrapper=()):
        """A checkpoint that may fail, and what must hold then."""
        image = os.path.join(self.images, "image")
        code, text = self.call(
            [*wrapper, *self.checkpoint(image, "--keep-running")],
            environment)
        if self.holder.poll() is not None:
            raise Failure(f"{environment} {wrapper}: the program has ended: "
                          f"{text}")
        left = os.listdir(self.images)
        if left not in ([], ["image"]) or (code == 0 and not left):
            raise Failure(f"{environment} {wrapper}: exit code {code} and "
                          f"{left}: {text}")
        if left:
            whole, what = self.call(
                [processes.CR, "inspect", "--verify", image], {})
            os.unlink(image)
            if whole != 0:
                raise Failure(f"{environment} {wrapper}: half an image: "
                              f"{what}")
            self.compare(what, f"{environment} {wrapper}")
        return code, text

    def compare(self, what, when):
        """All images of the tree hold the same."""
        lines = [re.sub(r"[0-9.]+ [KMG]iB| \[space [0-9]+\]", "", line)
                 for line in re.sub(r"^Memory$.*?^$", "", what,
                                    flags=re.M | re.S).splitlines()
                 if not re.match(r" +(saved|memory|image) ", line)]
        self.content = self.content or lines
        if lines != self.content:
            raise Failure("%s: an image without\n%s\nbut with\n%s" % (
                when, "\n".join(set(self.content) - set(lines)),
                "\n".join(set(lines) - set(self.content))))

    def save(self):
        """A checkpoint that works and ends the tree."""
        code, text = self.call(self.checkpoint(self.image), {})
        if code != 0:
            raise Failure(f"cr checkpoint: exit code {code}: {text}")
        self.holder.wait()
        self.holder = None
        with open(os.path.join(self.dir, "check"), "wb"):
            pass  # each restart ends by itself

    def try_restart(self, environment, wrapper=()):
        """A restart that may fail; the program's own check if it does not."""
        code, text = self.call([*wrapper, processes.CR, "restart",
                                self.image], environment)
        processes.wait_until(f"{environment} {wrapper}: exit code {code}, "
                             "no process left",
                             lambda: not self.inhabitants(), 5)
        return code, text


# A restart needs the number of the tree's terminal, which anybody on the
# machine might have taken meanwhile.
OWN_TERMINALS = """
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts /dev/pts
mount --bind /dev/pts/ptmx /dev/ptmx
export CR_OWN_TERMINALS=yes
exec "$@"
"""


def run(main):
    """Exit code of MAIN, which throws a Failure."""
    if "CR_OWN_TERMINALS" not in os.environ:
        os.execvp("unshare", ["unshare", "--mount", "sh", "-ec",
                              OWN_TERMINALS, "sh", sys.executable, *sys.argv])
    try:
        main()
    except Failure as why:
        print(why)
        return 1
    return 0
