# SPDX-License-Identifier: GPL-2.0-or-later
"""What the runners of tests/engine and tests/apps know about processes.

A tree is started by `cr run`, saved by `cr checkpoint` and started again by
`cr restart`; its holder is the cr process outside, its root the program.
"""

import os
import re
import signal
import subprocess
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.realpath(__file__))))
BUILD = os.environ.get("CR_BUILD", os.path.join(TOP, "build"))
CR = os.path.join(BUILD, "bin", "cr")
WORK = os.path.join(BUILD, "tests", "work")


class Failure(Exception):
    """What went wrong, in a sentence."""


def read(path):
    """A file as text, "" if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def status_field(pid, key):
    match = re.search(r"^%s:\s*(.*)$" % key, read(f"/proc/{pid}/status"), re.M)
    return match.group(1) if match else ""


def start_time(pid):
    """Second half of a process' identity; None if it is gone or a zombie."""
    fields = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return fields[19] if fields and fields[0] not in "ZX" else None


def children(pid):
    return [int(word) for word in
            read(f"/proc/{pid}/task/{pid}/children").split()]


def descendants(pid):
    found = []
    for child in children(pid):
        found += [child] + descendants(child)
    return found


def namespace(pid):
    """Identity of a process' PID namespace; None if the process is gone."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return None


def tree_of(root):
    """(pid, start time) of all processes of a tree."""
    pids = [root] + descendants(root)
    inside = namespace(root)
    if inside not in (None, namespace("self")):
        pids += [int(entry) for entry in os.listdir("/proc")
                 if entry.isdigit() and namespace(entry) == inside]
    # one may end between two looks
    starts = {pid: start_time(pid) for pid in pids}
    return {(pid, start) for pid, start in starts.items() if start}


def alive(tree):
    return [pid for pid, start in tree if start_time(pid) == start]


def left(tree):
    """As alive(), but zombies too: their pids are still in use."""
    return [pid for pid, _ in tree if os.path.exists(f"/proc/{pid}")]


def kill(tree):
    for pid in alive(tree):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # another one's end has ended it


def find_root(holder):
    """The program below `cr run` HOLDER once it has been executed, or 0."""
    for pid in children(holder):
        is_init = status_field(pid, "NSpid").split()[1:] == ["1"]
        try:
            is_cr = os.readlink(f"/proc/{pid}/exe") == \
                os.readlink(f"/proc/{holder}/exe")
        except OSError:
            is_cr = False  # its first thread has ended
        if not is_init and not is_cr:
            return pid
    return 0


def wait_until(what, condition, seconds):
    """The first true value of CONDITION()."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"{what}: not within {seconds:g} s")
        time.sleep(0.01)


def end_of(process, what, seconds):
    """Exit code of a child of ours."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired as late:
        raise Failure(f"{what}: not within {seconds:g} s") from late


def spawn(command, output, **options):
    """Start COMMAND in a session of its own; it appends to file OUTPUT."""
    with open(output, "ab") as out:
        try:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True, **options)
        except OSError as why:
            raise Failure(f"cannot start: {why}") from why


def call(command, log, seconds=60):
    """Run COMMAND, keep what it says in file LOG.  (exit code, text)"""
    with open(log, "ab") as out:
        out.write(("$ " + " ".join(command) + "\n").encode())
        out.flush()
        begin = out.tell()
        try:
            code = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                timeout=seconds, check=False).returncode
        except subprocess.TimeoutExpired as late:
            raise Failure("%s: not within %g s" %
                          (" ".join(command[:2]), seconds)) from late
    with open(log, "rb") as file:
        file.seek(begin)
        text = file.read().decode(errors="replace")
    with open(log, "ab") as out:
        out.write(b"exit code %d\n" % code)
    return code, text
