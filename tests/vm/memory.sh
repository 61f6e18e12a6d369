#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# memory.sh - crtest_checkpoint.c, crtest_memory.c; and test_image_engine.c, which
# is skipped where the module is not
set -eu

[ -c /dev/cr ] || { modprobe libcrc32c && insmod "${module:?}"; }
"${crtest:?}" checkpoint
"$crtest" memory
"${build:?}/tests/unit/test_image_engine" >/tmp/engine.log 2>&1 || {
	cat /tmp/engine.log
	exit 1
}
cat /tmp/engine.log
! grep SKIPPED /tmp/engine.log
