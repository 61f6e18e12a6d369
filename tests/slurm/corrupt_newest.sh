#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# corrupt_newest.sh - a damaged newest generation: the one before it is used
source "$(dirname "$0")/lib.sh"

damage() # IMAGE: change bytes in its middle
{
	printf '\377\376\375\374' | dd of="$1" bs=1 conv=notrunc \
		status=none seek=$(($(stat -c %s "$1") / 2))
}

submit_count "-n 80" -p low --cr-interval=3
await 60 "two generations" has_generations 2
node=$(field NodeList)
lab crash "$node"
newest=$(dirname "$(manifests | tail -n 1)")
say "damaging $newest"
damage "$newest/node_0.img"
root scontrol update nodename="$node" state=down reason="crash test"
await 60 "restart" restarts_are 1
await_end COMPLETED
lab boot "$node"
check_output 80
check_moved
check_no_images
