#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ask.sh - crtest_ask.c, crtest_look.c, crtest_mapped.c, crtest_regs.c
set -eu

[ -c /dev/cr ] || { modprobe libcrc32c && insmod "${module:?}"; }
"${crtest:?}" ask
"$crtest" look
"$crtest" mapped
"$crtest" regs
