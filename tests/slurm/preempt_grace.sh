#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# preempt_grace.sh - the same in a partition with GraceTime
#
# Slurm tells a plain batch job nothing before the grace is over, which may
# last 12 s longer than configured.
source "$(dirname "$0")/lib.sh"

submit_count "-n 300" -p lowgrace
await_count 10
preempt
await 90 "restart" restarts_are 1
await_end COMPLETED 120
check_output 300
check_moved
check_no_images
