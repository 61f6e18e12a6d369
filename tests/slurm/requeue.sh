#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# requeue.sh - scontrol requeue, three times over: the job goes on each time
source "$(dirname "$0")/lib.sh"

submit_count "-n 60" -p low
for i in 1 2 3; do
	await_count $((i * 12))
	requeue
	await 30 "restart $i" restarts_are "$i"
done
await_end COMPLETED
check_output 60
check_no_images
