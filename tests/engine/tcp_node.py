# SPDX-License-Identifier: GPL-2.0-or-later
"""tcp_node.py DIR ROLE - one of two programs that talk without end

The server and the client send each other a known sequence over an IPv4 and an
IPv6 connection, in both directions at once, until the file `check` is there;
then each says how much it was and shuts down.  One more connection is not
accepted before that.  Exit code 0: every byte has come, once, in order.
"""

import os
import socket
import sys
import threading
import time

DIR, ROLE = sys.argv[1:]
HOSTS = ("10.9.0.1", "fd09::1")
PORT, LATE = 7001, 7002
PERIOD = 65521  # of the sequence: a prime, so that no buffer fits it
SEQUENCE = bytes((i * 31 + i // 251) % 251 for i in range(PERIOD)) * 3

failures = []


def path(name):
    return os.path.join(DIR, name)


def family(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def listen(host, port):
    return socket.create_server((host, port), family=family(host))


def connect(host, port):
    for _ in range(500):
        end = socket.socket(family(host), socket.SOCK_STREAM)
        try:
            end.connect((host, port))
            return end
        except OSError:
            end.close()
            time.sleep(0.02)
    raise TimeoutError(host)


def send(end):
    at = 0
    while not os.path.exists(path("check")):
        start = at % PERIOD
        at += end.send(SEQUENCE[start:start + 1 + at % 60000])
    end.shutdown(socket.SHUT_WR)


def receive(end):
    at = 0
    while True:
        data = end.recv(1 + at % 50000)
        if not data:
            break
        start = at % PERIOD
        if data != SEQUENCE[start:start + len(data)]:
            failures.append(f"wrong bytes at {at}")
            break
        at += len(data)
        if at % 7 == 0:
            time.sleep(0.001)
    if at < 200000:
        failures.append(f"only {at} bytes")


def main():
    if ROLE == "server":
        listeners = [listen(host, PORT) for host in HOSTS]
        late = listen("0.0.0.0", LATE)
        ends = [listener.accept()[0] for listener in listeners]
    else:
        ends = [connect(host, PORT) for host in HOSTS]
        late = connect(HOSTS[0], LATE)
    threads = [threading.Thread(target=work, args=(end,))
               for end in ends for work in (send, receive)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    with open(path("ready"), "w", encoding="ascii"):
        pass
    for thread in threads:
        thread.join()
    if ROLE == "server":
        end, _ = late.accept()
        if end.recv(100) != b"late":
            failures.append("the late connection said something else")
        end.sendall(b"heard")
    else:
        late.sendall(b"late")
        if late.recv(100) != b"heard":
            failures.append("the late connection was not heard")
    print("\n".join(failures), end="", file=sys.stderr)
    sys.exit(1 if failures else 0)


main()
