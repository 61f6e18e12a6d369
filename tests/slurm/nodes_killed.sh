#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# nodes_killed.sh [all] - a step of two nodes, and the agent of one of them is
# killed in each phase of a checkpoint (all: of either, in each): the step runs on,
# and when it is requeued it goes on from the last generation that was complete
NODES=4
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/nodes_lib.sh"

nr_restarts=0

times_said() # TEXT
{
	cat "$work"/rank.? "$(output)" | grep -cF -- "$1" || :
}

is_said_again() # TIMES-BEFORE TEXT
{
	[ "$(times_said "$2")" -gt "$1" ]
}

# Node INDEX loses its agent while it is not PHASE; the user is told TEXT.
kill_in() # PHASE INDEX TEXT
{
	local node newest said
	node=$(node_of "$2")
	say "--- the agent of node $2 ($node) is killed while it is not $1"
	hold "$node" "$1"
	await_held "$node" "$1"
	newest=$(manifests | tail -n 1)
	said=$(times_said "$3")
	kill_agent "$node"
	await 30 "'$3' in the job's output" is_said_again "$said" "$3"
	release "$node" "$1"
	check_runs_on 0 1 2 3
	[ "$(manifests | tail -n 1)" = "$newest" ] || fail "committed after all"
	nr_restarts=$((nr_restarts + 1))
	requeue_from "$newest" $nr_restarts
	check_one_program 0 1 2 3
}

use_test_agent
submit_step 2000 --cr-interval=2
await 60 "a generation" has_generations 1
lost="its agent has died or cannot be reached"
lead_lost="the agent of node 0 has died or cannot be reached"
cases="frozen:1 queues:0 ends:1 ends:0 write:1 saved:0 digested:0"
[ "${1:-}" != all ] || cases="$(echo {frozen,queues,ends,write,saved,digested}:{0,1})"
for case in $cases; do
	text=$lost
	[ "${case#*:}" = 1 ] || text=$lead_lost
	kill_in "${case%:*}" "${case#*:}" "$text"
done
root scancel "$job"
await_end CANCELLED
check_no_images
