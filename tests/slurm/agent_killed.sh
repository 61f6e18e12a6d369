#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# agent_killed.sh - the agent is killed: the program runs on as if nothing had
# happened; queued again it goes on from the last periodic checkpoint
source "$(dirname "$0")/lib.sh"

kill_agent()
{
	local node pid
	node=$(field NodeList)
	pid=$(agents "$node")
	[ -n "$pid" ] || fail "no agent on $node"
	say "killing agent $pid on $node"
	lab exec "$node" kill -KILL "$pid"
}

submit_count "-n 40" -p low
await_count 5
kill_agent
await_end COMPLETED
check_output 40
check_nodes_idle

submit_count "-n 80" -p low --cr-interval=2
await 60 "a generation" has_generations 1
kill_agent
before=$(counted)
await_count $((before + 10))
requeue
await 60 "restart" restarts_are 1
await_end COMPLETED
check_output 80
check_no_images
