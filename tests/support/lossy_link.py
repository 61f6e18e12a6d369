#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""lossy_link - a network link that loses, delays, reorders and doubles frames

Carries Ethernet frames between two interfaces, as a cable would, but for what the
options say; where the kernel has no netem.  Random, with a seed.  Once a second,
and at SIGTERM, it writes to standard output what has become of how many frames.

Frames are taken and given with their virtio_net header, so that checksums that
a virtual interface leaves to the hardware stay undone until somebody needs them.
"""

import argparse
import heapq
import random
import select
import signal
import socket
import sys
import time

SOL_PACKET, PACKET_VNET_HDR, PACKET_OUTGOING, ETH_P_ALL = 263, 15, 4, 3
PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC = 1, 1
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33
FRAME_MAX = 65536 + 64


def open_end(interface):
    """A socket that gets and gives all frames of @interface."""
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    end.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    end.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
    end.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 8 << 20)
    end.bind((interface, ETH_P_ALL))
    request = (socket.if_nametoindex(interface).to_bytes(4, sys.byteorder) +
               PACKET_MR_PROMISC.to_bytes(2, sys.byteorder) + bytes(10))
    end.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, request)
    end.setblocking(False)
    return end


class Link:
    """Both directions; all times are seconds."""

    def __init__(self, ends, options):
        self.ends = ends
        self.options = options
        self.random = random.Random(options.seed)
        self.waiting = []  # heap of (due, number, end that gets it, frame)
        self.counts = dict.fromkeys(
            ("frames", "lost", "doubled", "overtaken"), 0)
        self.latest = 0  # number of the last that was given

    def happens(self, percent):
        return self.random.random() * 100 < percent

    def put(self, to, frame):
        self.counts["frames"] += 1
        if self.happens(self.options.loss):
            self.counts["lost"] += 1
            return
        copies = 1
        if self.happens(self.options.duplicate):
            self.counts["doubled"] += 1
            copies = 2
        for _ in range(copies):
            delay = self.options.delay + self.random.uniform(
                -self.options.jitter, self.options.jitter)
            heapq.heappush(self.waiting, (
                time.monotonic() + max(delay, 0) / 1000,
                self.counts["frames"], to, frame))

    def take(self, which):
        """All that has come at an end, for the other one."""
        while True:
            try:
                frame, address = self.ends[which].recvfrom(FRAME_MAX)
            except BlockingIOError:
                return
            if address[2] != PACKET_OUTGOING:
                self.put(1 - which, frame)

    def give(self):
        """What is due."""
        now = time.monotonic()
        while self.waiting and self.waiting[0][0] <= now:
            _, number, to, frame = heapq.heappop(self.waiting)
            if number < self.latest:
                self.counts["overtaken"] += 1
            self.latest = max(self.latest, number)
            try:
                self.ends[to].send(frame)
            except OSError:
                self.counts["lost"] += 1  # the link is down, or full

    def patience(self, until):
        due = min(until, self.waiting[0][0]) if self.waiting else until
        return max(due - time.monotonic(), 0)

    def tell(self):
        print(" ".join(f"{name} {count}"
                       for name, count in self.counts.items()), flush=True)

    def run(self):
        tell_at = time.monotonic() + 1
        while True:
            ready = select.select(self.ends, [], [], self.patience(tell_at))[0]
            for end in ready:
                self.take(self.ends.index(end))
            self.give()
            if time.monotonic() >= tell_at:
                self.tell()
                tell_at += 1


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0].partition(" - ")[2])
    parser.add_argument("interface", nargs=2)
    parser.add_argument("--loss", type=float, default=0, metavar="PERCENT")
    parser.add_argument("--duplicate", type=float, default=0,
                        metavar="PERCENT")
    parser.add_argument("--delay", type=float, default=0, metavar="MS")
    parser.add_argument("--jitter", type=float, default=0, metavar="MS",
                        help="delays differ by so much, up and down")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    link = Link([open_end(name) for name in options.interface], options)

    def finish(_signal, _frame):
        link.tell()
        sys.exit(0)

    signal.signal(signal.SIGTERM, finish)
    link.run()


if __name__ == "__main__":
    main()
