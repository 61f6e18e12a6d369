#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# nodes_tcp.sh - ranks of two nodes talk by TCP, with full queues, half closed,
# closed and not yet accepted connections; they go on on two other nodes, on the
# same two the other way round, and on other ones again, and no byte is lost
NODES=4
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/nodes_lib.sh"

submit_talk ""
first=$(host_of 0)
preempt
await_move 1

swap_nodes 2

say "--- to the first ones"
user scancel "$blocker"
preempt
await_move 3
[ "$(host_of 0)" != "$first" ] || [ "$(host_of 2)" != "$first" ] ||
	fail "both groups are on $first"
end_talks
for rank in 0 1 2 3; do
	check_moved "$work/rank.$rank"
done
check_no_images
