#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# nodes_merged.sh - ranks of two nodes, which listen at the same ports and talk
# by TCP, go on together on one node, are saved there again, go on on two, and
# once more on one; no byte is lost.  A group that would be split is refused
NODES=3
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/nodes_lib.sh"

# Where the ranks are to be when the job runs again.
place() # FILE that the script looks for, or none
{
	rm -f "$work/together" "$work/split"
	[ -z "${1:-}" ] || touch "$work/$1"
	requeue
}

submit_talk 20000
[ "$(host_of 0)" != "$(host_of 2)" ] || fail "all are on one node"

say "--- together"
place together
await_move 1
[ "$(host_of 0)" = "$(host_of 2)" ] || fail "they are still apart"
await_log "groups of ranks are on other nodes"

say "--- apart"
place
await_move 2
[ "$(host_of 0)" != "$(host_of 2)" ] || fail "they are still together"

say "--- together again"
place together
await_move 3
[ "$(host_of 0)" = "$(host_of 2)" ] || fail "they are still apart"
end_talks
for rank in 2 3; do # the others have always been on the first node
	check_moved "$work/rank.$rank"
done
[ "$(cat "$work"/rank.? | grep -c '^listens at 2000[01]$')" = 2 ] ||
	fail "who shares a node has the same ports: $(grep -h '^listens' "$work"/rank.?)"
check_no_images

say "--- a group that is split"
rm "$work"/stop "$work"/rank.? "$work"/address.?
submit_talk ""
place split
await_text "were on one node, where they may share memory"
user scancel "$job"
await_end CANCELLED
