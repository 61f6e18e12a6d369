#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# app_numpy.sh - Python with numpy and a pool of worker processes
source "$(dirname "$0")/app.sh"

/usr/bin/python3 -c 'import numpy' || skip "python3-numpy is missing"
run_app <<'EOF'
#!/usr/bin/python3
import multiprocessing
import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"
import numpy


def work(seed):
    rng = numpy.random.default_rng(seed)
    total = 0.0
    for _ in range(12):
        matrix = rng.standard_normal((250, 250))
        total += float(numpy.linalg.svd(matrix, compute_uv=False).sum())
    return seed, total


if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool:
        for seed, total in pool.imap(work, range(60)):
            print(seed, repr(total), flush=True)
EOF
