#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""terminal.py shell|interrupt TIMES COMMAND... - a user at a terminal

shell: COMMAND gives an interactive bash.  The window is resized, programs are
interrupted, stopped and continued; then `exit 7`, which COMMAND must end with.
interrupt: COMMAND prints "begun"; Ctrl-C comes TIMES times within a second,
and COMMAND must end soon.  Its exit code is printed.
"""

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time

PATIENCE = 20  # seconds; a step takes one to start


class Terminal:
    """COMMAND at a terminal of its own."""

    def __init__(self, command):
        self.unread = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp(command[0], command)

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ,
                    struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def read(self):
        """Some more of what is shown; False: nothing more will come."""
        if not select.select([self.fd], [], [], 0.1)[0]:
            return True
        try:
            text = os.read(self.fd, 65536)
        except OSError:
            return False
        sys.stdout.write(text.decode(errors="replace"))
        self.unread += text.decode(errors="replace")
        return bool(text)

    def expect(self, pattern):
        end = time.monotonic() + PATIENCE
        while not re.search(pattern, self.unread):
            if time.monotonic() > end or not self.read():
                sys.exit(f"\nFAILED: no /{pattern}/ at the terminal")
        self.unread = self.unread[re.search(pattern, self.unread).end():]

    def end(self):
        """Exit code of COMMAND."""
        end = time.monotonic() + PATIENCE
        while self.read():
            if time.monotonic() > end:
                sys.exit("\nFAILED: it does not end")
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def shell(command):
    terminal = Terminal(command)
    # what is typed is echoed: it must not look like what is waited for
    terminal.type("PS1='rea''dy> '; trap 'echo si''ze $(stty size)' WINCH\r")
    terminal.expect("ready> ")
    terminal.resize(40, 101)
    terminal.expect("size 40 101")
    for keys, shown in (("\x03", "130"), ("\x1a", "148"), ("\x1c", "131")):
        terminal.type("(echo beg''un; exec sleep 100)\r")
        terminal.expect("begun")
        terminal.type(keys)
        terminal.expect("ready> ")
        terminal.type("echo it said $?.\r")
        terminal.expect(f"it said {shown}\\.")
    terminal.type("fg\r")
    terminal.expect("exec sleep 100")
    time.sleep(0.5)
    terminal.type("\x03")
    terminal.expect("ready> ")
    terminal.type("echo it said $? $(jobs).; exit 7\r")
    terminal.expect(r"it said 130 \.")
    if terminal.end() != 7:
        sys.exit("\nFAILED: its exit code is not 7")


def interrupt(times, command):
    terminal = Terminal(command)
    terminal.expect("begun")
    for _ in range(times):
        terminal.type("\x03")
        time.sleep(0.2)
    print("\nexit code", terminal.end())


if sys.argv[1] == "shell":
    shell(sys.argv[2:])
else:
    interrupt(int(sys.argv[2]), sys.argv[3:])
