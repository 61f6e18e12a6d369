# SPDX-License-Identifier: GPL-2.0-or-later
"""workers.py - matrices on a pool of processes: pipes, semaphores, BLAS"""

import hashlib
import multiprocessing
import time

import numpy


def work(seed):
    source = numpy.random.default_rng(seed)
    matrix = source.standard_normal((150, 150))
    for _ in range(20):
        matrix = numpy.tanh(matrix @ matrix.T / 150)
    time.sleep(0.01)
    return seed, hashlib.sha256(matrix.tobytes()).hexdigest()


def main():
    with multiprocessing.Pool(3) as pool, \
            open("result", "w", encoding="utf-8") as out:
        for seed, digest in pool.imap(work, range(60)):
            print(seed, digest, file=out, flush=True)


if __name__ == "__main__":
    main()
