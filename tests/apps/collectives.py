#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""collectives.py ROUNDS - mpi4py's operations, with contents that are checked

All contents follow from round and rank.  Objects go through pickle, buffers
through MPI's own types, large ones beyond any eager limit.  Rank 0 prints a
digest of all that it got so far, so that two runs can be compared line by line.
"""

import array
import hashlib
import sys

import mpi4py

mpi4py.rc.thread_level = "serialized"  # windows over TCP need that

from mpi4py import MPI  # noqa: E402 (the setting comes first)

LARGE = 20000
WORLD = MPI.COMM_WORLD
RANK = WORLD.Get_rank()
SIZE = WORLD.Get_size()


def numbers(turn, rank, count):
    return array.array("q", range(turn * 7919 + rank * 104729,
                                  turn * 7919 + rank * 104729 + count))


def thing(turn, rank):
    return {"turn": turn, "rank": rank, "text": f"{rank}," * (turn % 40),
            "numbers": list(numbers(turn, rank, turn % 9))}


def expect(what, turn, got, wanted):
    if got != wanted:
        print(f"WRONG: rank {RANK}, round {turn}: {what}", flush=True)
        WORLD.Abort(3)


def empty(count):
    return array.array("q", bytes(8 * count))


def objects(turn, root):
    things = [thing(turn, rank) for rank in range(SIZE)]
    mine = things[RANK]
    expect("bcast", turn, WORLD.bcast(mine if RANK == root else None, root),
           things[root])
    expect("scatter", turn,
           WORLD.scatter(things if RANK == root else None, root), mine)
    expect("gather", turn, WORLD.gather(mine, root),
           things if RANK == root else None)
    expect("allgather", turn, WORLD.allgather(mine), things)
    expect("alltoall", turn,
           WORLD.alltoall([(RANK, to, turn) for to in range(SIZE)]),
           [(of, RANK, turn) for of in range(SIZE)])
    expect("allreduce", turn, WORLD.allreduce(mine["text"]),
           "".join(one["text"] for one in things))
    expect("exscan", turn, WORLD.exscan(RANK + turn),
           sum(range(turn, turn + RANK)) if RANK else None)


def buffers(turn, root):
    parts = [numbers(turn, rank, LARGE) for rank in range(SIZE)]
    got = array.array("q", parts[RANK]) if RANK == root else empty(LARGE)
    WORLD.Bcast(got, root)
    expect("Bcast", turn, got, parts[root])
    got = empty(LARGE)
    WORLD.Allreduce(parts[RANK], got, MPI.SUM)
    expect("Allreduce", turn, got,
           array.array("q", (sum(column) for column in zip(*parts))))
    got = empty(LARGE * SIZE)
    WORLD.Allgather(parts[RANK], got)
    expect("Allgather", turn, got, sum(parts, array.array("q")))
    chunk = LARGE // SIZE
    got = empty(chunk * SIZE)
    WORLD.Alltoall(parts[RANK][:chunk * SIZE], got)
    expect("Alltoall", turn, got,
           sum((part[RANK * chunk:(RANK + 1) * chunk] for part in parts),
               array.array("q")))
    return got


def window(turn, win, memory):
    """Each puts into its right neighbour's window, and adds to rank 0's."""
    win.Fence()
    win.Put(numbers(turn, RANK, 8), (RANK + 1) % SIZE, 0)
    win.Fence()
    expect("Put", turn, memory[:8], numbers(turn, (RANK - 1) % SIZE, 8))
    win.Accumulate(numbers(1, RANK, 1), 0, (8, 1, MPI.LONG_LONG), MPI.SUM)
    win.Fence()
    if RANK == 0:
        each = sum(numbers(1, rank, 1)[0] for rank in range(SIZE))
        expect("Accumulate", turn, memory[8], turn * each)


def ring(turn):
    """Split in two, and around a ring in each half, without waiting."""
    half = WORLD.Split(RANK % 2, RANK)
    right, left = (half.rank + 1) % half.size, (half.rank - 1) % half.size
    request = half.isend(thing(turn, RANK), right, tag=turn % 1000)
    got = half.recv(source=left, tag=turn % 1000)
    request.wait()
    expect("ring", turn, got, thing(turn, left * 2 + RANK % 2))
    half.Free()


def main():
    rounds = int(sys.argv[1])
    digest = hashlib.sha256()
    memory = empty(9)
    win = MPI.Win.Create(memory, 8, comm=WORLD)
    for turn in range(1, rounds + 1):
        objects(turn, turn % SIZE)
        digest.update(buffers(turn, turn % SIZE))
        window(turn, win, memory)
        ring(turn)
        if RANK == 0:
            print(turn, digest.hexdigest()[:16], flush=True)
    win.Free()
    if RANK == 0:
        print("all right")


if __name__ == "__main__":
    main()
