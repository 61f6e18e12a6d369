#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# slurmd_restart.sh - slurmd is started again under a running job, which is
# saved and restarted afterwards as always
source "$(dirname "$0")/lib.sh"

submit_count "-n 80" -p low
await_count 5
node=$(field NodeList)
lab exec "$node" pkill -x slurmd
sleep 2
lab exec "$node" pgrep -x slurmd >/dev/null || fail "slurmd is not back"
before=$(counted)
await_count $((before + 5))
preempt
await 60 "restart" restarts_are 1
await_end COMPLETED
check_output 80
check_moved
check_no_images
