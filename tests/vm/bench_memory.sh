#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# bench_memory.sh - tests/bench/engines: says how fast, never fails for being slow
set -eu

[ -c /dev/cr ] || { modprobe libcrc32c && insmod "${module:?}"; }
CR_BUILD=${build:?} "${top:?}/tests/bench/engines" --case memory
