# SPDX-License-Identifier: GPL-2.0-or-later
"""What /proc shows of a tree, as text that must be the same after a restart.

take() gives {place: text}, with numbers as the tree sees them, and without
what is accepted to differ: docs/testing.md has the list, and why.
"""

import os
import re

from processes import read

# of /proc/PID/stat, as in proc(5); what else is there, others tell, or time
STAT = {7: "terminal", 18: "priority", 19: "nice", 20: "threads",
        23: "size", 26: "start_code", 27: "end_code", 28: "start_stack",
        38: "exit_signal", 40: "rt_priority", 41: "policy", 45: "start_data",
        46: "end_data", 47: "start_brk", 48: "arg_start", 49: "arg_end",
        50: "env_start", 51: "env_end"}
STATUS = ("Name|Umask|Uid|Gid|Groups|NStgid|NSpid|NSpgid|NSsid|SigPnd|ShdPnd|"
          "SigBlk|SigIgn|SigCgt|Cap[A-Z][a-z]+|NoNewPrivs|Seccomp|"
          "Seccomp_filters|THP_enabled|VmLck|VmSize|VmStk|VmExe|VmLib|"
          "Threads|CoreDumping|Cpus_allowed|Mems_allowed")
FILES = ("comm", "cmdline", "environ", "limits", "personality",
         "oom_score_adj", "coredump_filter", "timerslack_ns", "loginuid",
         "sessionid")
# marks of the kernel that come and go as memory is used
O_TMPFILE = 0o20200000
FLAGS = {"sd", "ht", "ac"}


def stat(text):
    fields = [None, None, None] + text.rpartition(")")[2].split()
    if len(fields) < 50:
        return ""
    return "\n".join(f"{name} {fields[number]}"
                     for number, name in STAT.items())


def status(text):
    """Ids of namespaces: only the innermost."""
    lines = re.findall(r"^(?:%s):.*$" % STATUS, text, re.M)
    return "\n".join(re.sub(r"^(NS\w+):.*\t(\d+)$", r"\1: \2", line)
                     for line in lines)


def maps(text):
    """Lines of mappings with their flags; no devices, inodes and sizes."""
    kept = []
    for line in text.splitlines():
        place = re.match(r"([0-9a-f]+-([0-9a-f]+) \S+ \S+) \S+ \d+ *(.*)",
                         line)
        if place:
            name = re.sub(r"^/SYSV\S+|^/memfd:.*|^/dev/zero \(deleted\)",
                          "[shared]", place[3])
            name = re.sub(r"[^/]* \(deleted\)$", "(deleted)", name)
            kept.append(f"{place[1]} {name}")
        elif line.startswith("VmFlags:"):
            flags = set(line.split()[1:]) - FLAGS
            kept[-1] += " " + " ".join(sorted(flags))
    return "\n".join(joined(kept))


def joined(lines):
    """Neighbours that are alike, of no file, as one."""
    kept = []
    for line in lines:
        start, end, rest = re.match(r"(\w+)-(\w+) (.*)", line).groups()
        if kept and kept[-1][1:] == [start, rest] and " 00000000  " in rest:
            kept[-1][1] = end
        else:
            kept.append([start, end, rest])
    return [f"{start}-{end} {rest}" for start, end, rest in kept]


def fdinfo(text):
    """Mounts and inodes are others; time goes on."""
    text = re.sub(r"^(mnt_id|ino|it_value|lock|Pid|ticks|settime flags|"
                  r"eventfd-id): .*\n|\bino:\S+|\bsdev:\S+|\bfhandle-\S+",
                  "", text.replace(":\t", ": "), flags=re.M)
    text = re.sub(r"^NSpid: .*\t", "NSpid: ", text, flags=re.M)
    text = re.sub(r"^flags: (\d+)", lambda match: "flags: %o" % (
        int(match[1], 8) & ~O_TMPFILE), text, flags=re.M)
    return re.sub(r"\bevents: *", "events: ", text)


def link(path):
    try:
        name = re.sub(r":\[\d+\]", "", os.readlink(path))
        return re.sub(r"[^/]* \(deleted\)$", "(deleted)", name)
    except OSError:
        return ""


def entries(path):
    try:
        return sorted(os.listdir(path), key=int)
    except OSError:
        return []


def last_id(path):
    match = re.search(r"^NSpid:.*\t(\d+)$", read(path), re.M)
    return match.group(1) if match else None


def take_process(pid, vpid, into):
    top = f"/proc/{pid}"
    into[f"{vpid} stat"] = stat(read(top + "/stat"))
    into[f"{vpid} status"] = status(read(top + "/status"))
    into[f"{vpid} maps"] = maps(read(top + "/smaps"))
    into[f"{vpid} timers"] = re.sub(r"\b(pid|tid)\.\d+", r"\1",
                                    read(top + "/timers"))
    for name in FILES:
        into[f"{vpid} {name}"] = read(f"{top}/{name}")
    for name in ("exe", "cwd", "root"):
        into[f"{vpid} {name}"] = link(f"{top}/{name}")
    for number in entries(top + "/fd"):
        into[f"{vpid} fd {number}"] = (
            link(f"{top}/fd/{number}") + "\n" +
            fdinfo(read(f"{top}/fdinfo/{number}")))
    for tid in entries(top + "/task"):
        place = f"{top}/task/{tid}"
        vtid = last_id(place + "/status")
        into[f"{vpid} thread {vtid}"] = "\n".join(
            [status(read(place + "/status")), stat(read(place + "/stat")),
             read(place + "/timerslack_ns")])


def take(tree):
    """Of the processes (pid, start time) in TREE, less the namespaces' init."""
    taken = {}
    for pid, _ in sorted(tree):
        vpid = last_id(f"/proc/{pid}/status")
        if vpid not in (None, "1"):
            take_process(pid, vpid, taken)
    return taken


def differences(before, after):
    """Lines that say what is not as it was."""
    told = []
    for place in sorted(set(before) | set(after)):
        old = before.get(place, "").splitlines()
        new = after.get(place, "").splitlines()
        told += [f"{place}: was  {line}" for line in old if line not in new]
        told += [f"{place}: is   {line}" for line in new if line not in old]
    return told
