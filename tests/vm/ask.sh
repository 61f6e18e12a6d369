#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ask.sh - crtest_ask.c
set -eu

[ -c /dev/cr ] || { modprobe libcrc32c && insmod "${module:?}"; }
"${crtest:?}" ask
