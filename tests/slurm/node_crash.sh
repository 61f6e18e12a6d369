#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# node_crash.sh - a node dies: the job goes on from its last periodic
# checkpoint on another one, and at most two generations are kept
source "$(dirname "$0")/lib.sh"

submit_count "-n 100" -p low --cr-interval=2
await 60 "two generations" has_generations 2
await_count 30
[ "$(manifests | wc -l)" -le 3 ] || fail "more than two generations are kept"
node=$(field NodeList)
lab crash "$node"
root scontrol update nodename="$node" state=down reason="crash test"
await 60 "restart" restarts_are 1
await_end COMPLETED
lab boot "$node"
check_output 100
check_moved
check_no_images
