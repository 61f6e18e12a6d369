#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# preempt.sh - a preempted batch job goes on on another node
source "$(dirname "$0")/lib.sh"

submit_count "-n 60" -p low
await_count 10
preempt
await 60 "restart" restarts_are 1
await_end COMPLETED
check_output 60
check_moved
check_no_images
