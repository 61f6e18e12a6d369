#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# restart_faults.sh - a step of two nodes is restarted, and something goes
# wrong in each phase of that: with a node that comes back it goes on from the
# same generation; else it ends, says why, and keeps its images
NODES=4
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/nodes_lib.sh"

# When it has written what it knows, which it does within five seconds: one that
# comes again with an older state lets jobs begin that run.
kill_slurmctld()
{
	sleep 6
	root pkill -KILL -x slurmctld
}

nr_restarts=0

# Requeue; the newest generation is $newest then, and the step waits at POINT: to
# join, the other node for itself.
restart_held() # POINT
{
	local nr=2
	[ "$1" != join ] || nr=1
	hold_all "$1"
	newest=$(manifests | tail -n 1)
	requeue
	nr_restarts=$((nr_restarts + 1))
	await 60 "restart" restarts_are $nr_restarts
	await 60 "job that runs" state_is RUNNING
	await 60 "$nr nodes held at $1" are_held $nr "$1"
	lead=$(node_of 0)
	member=$(node_of 1)
	# a final checkpoint may have been made by the requeue
	newest=$(manifests | tail -n 1)
}

# All go on, from the generation that was the newest.
check_goes_on()
{
	check_runs_on 0 1 2 3
	check_one_program 0 1 2 3
	! has_text "an older one was" || fail "went back to an older generation"
	await_new_generation
}

# The step ends with the cause TEXT, said once (or the TIMES-th time), and can be
# requeued.
check_ends() # TEXT [TIMES]
{
	local nr
	await_text "no checkpoint can be restarted: $1"
	await_end COMPLETED
	grep -qE '^srun ended with [1-9]' "$(output)" || fail "srun ended well"
	nr=$(cat "$work"/rank.? "$(output)" | grep -cF "restarted: $1")
	[ "$nr" = "${2:-1}" ] || fail "'$1' is said $nr times"
	[ -e "$newest" ] || fail "$newest is gone"
	[ "$(manifests | tail -n 1)" = "$newest" ] || fail "a new generation"
}

use_test_agent
# what would be tried again in another run of the job fails here
sed -i 's|dir=|retries=0 dir=|' "$shared/../etc/plugstack.conf"
submit_step 2000 --cr-interval=2 --cr-on-failure=restart
await 60 "a generation" has_generations 1

say "--- a node is cut off while it joins, and comes back"
restart_held join
release "$lead" join
lab cut "$member"
await_node_log "$lead" "node 1 ($member) has been silent"
lab join "$member"
release_all join
check_goes_on

say "--- ... the lead's node, and comes back"
restart_held join
lab cut "$lead"
release "$member" join
await_node_log "$member" "the lead agent has been silent"
lab join "$lead"
release_all join
check_goes_on

say "--- a node is cut off while it restores, and comes back"
restart_held gate
release "$lead" gate
lab cut "$member"
await_node_log "$lead" "restart from checkpoint $(generation_of "$newest"
	): node 1 ($member): its agent has died or cannot be reached"
check_held_still
lab join "$member"
release_all gate
check_goes_on

say "--- slurmctld is killed while nodes restore"
restart_held gate
kill_slurmctld
release_all gate
check_goes_on

say "--- slurmctld is killed while a final checkpoint is made"
await 60 "job that runs" state_is RUNNING
lead=$(node_of 0)
hold_all write
requeue
await 60 "two nodes held at write" are_held 2 write
kill_slurmctld
release_all write
nr_restarts=$((nr_restarts + 1))
await 90 "restart" restarts_are $nr_restarts
check_goes_on

say "--- a member's agent is killed when it has told what its addresses are"
await 60 "job that runs" state_is RUNNING
restart_held gate
kill_agent "$member"
release_all gate
check_ends "node 1 ($member): its agent does not come within"

say "--- ... and the lead's"
restart_held gate
kill_agent "$lead"
release_all gate
check_ends "the agent of node 0 does not come back"

say "--- ... and a member's while it joins"
restart_held join
release "$lead" join
kill_agent "$member"
release_all join
check_ends "node 1 ($member): its agent does not come within"

say "--- ... and the lead's while it joins"
restart_held join
kill_agent "$lead"
release_all join
check_ends "the agent of node 0 does not come back" 2

say "--- after all that it goes on"
nr_restarts=$((nr_restarts + 1))
requeue
await 60 "restart" restarts_are $nr_restarts
check_goes_on
root scancel "$job"
await_end CANCELLED
check_one_program 0 1 2 3
check_no_images
