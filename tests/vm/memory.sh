#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# memory.sh - crtest_memory.c
set -eu

[ -c /dev/cr ] || { modprobe libcrc32c && insmod "${module:?}"; }
"${crtest:?}" memory
