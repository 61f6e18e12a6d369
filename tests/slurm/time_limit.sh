#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# time_limit.sh - a job that is out of time is queued again and goes on
source "$(dirname "$0")/lib.sh"

submit_count "-n 600" -p low --time=1
await_count 10
await 120 "restart" restarts_are 1
await_end COMPLETED 120
check_output 600
check_no_images
