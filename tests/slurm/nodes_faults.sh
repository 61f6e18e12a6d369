#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# nodes_faults.sh [all] - a step of two nodes, and something goes wrong in each
# phase of its checkpoint: all or none of it counts, and the step runs on.  all: the
# lead's node is cut off in each phase, too, and not in some only
NODES=4
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/nodes_lib.sh"

use_test_agent
submit_step 2000 --cr-interval=2
await 60 "a generation" has_generations 1
lead=$(node_of 0)
member=$(node_of 1)
say "lead on $lead, member on $member"

for phase in frozen queues ends write saved; do
	say "--- $member is cut off while it is not $phase"
	hold "$member" "$phase"
	await_held "$member" "$phase"
	check_held_still
	lab cut "$member"
	await_text "node 1 ($member): its agent has been silent"
	check_runs_on 0 1
	release "$member" "$phase"
	check_runs_on 2 3
	lab join "$member"
	await_new_generation
done

phases="frozen saved"
[ "${1:-}" != all ] || phases="frozen queues ends write saved commit"
for phase in $phases; do
	say "--- the lead's node, $lead, is cut off while it is not $phase"
	hold "$lead" "$phase"
	await_held "$lead" "$phase"
	check_held_still
	lab cut "$lead"
	check_runs_on 2 3
	release "$lead" "$phase"
	check_runs_on 0 1
	lab join "$lead"
	await_new_generation
done

# This kernel has no netem: packets are lost while the link is down, and an agent
# that is stopped delays all that it has to say.
say "--- packets of $member are lost, and its agent is slow: no failure"
before=$(grep -c failed "$shared/../nodes/$lead/log/spank_cr.log")
hold "$member" saved
await_held "$member" saved
lab cut "$member"
sleep 0.5
lab join "$member"
agent=$(agent_of "$member")
lab exec "$member" kill -STOP "$agent"
sleep 1
lab exec "$member" kill -CONT "$agent"
release "$member" saved
await_new_generation
[ "$(grep -c failed "$shared/../nodes/$lead/log/spank_cr.log")" = "$before" ] ||
	fail "a delay made a checkpoint fail"

say "--- $member is cut off while the lead commits"
hold "$lead" commit
await_held "$lead" commit
lab cut "$member"
await_node_log "$member" "the manifest will tell"
check_runs_on 2 3
release "$lead" commit
check_runs_on 0 1
await_text "a node has given the checkpoint up"
lab join "$member"
await_new_generation

say "--- $member has no space left"
fail_at "$member" write
await_text "node 1 ($member): write: No space left on device"
check_runs_on 0 1 2 3
release "$member" write
await_new_generation

say "--- slurmctld is killed meanwhile"
hold "$member" saved
await_held "$member" saved
root pkill -KILL -x slurmctld
release "$member" saved
await_new_generation

say "--- the member's agent is killed: an older generation counts"
hold "$member" saved
await_held "$member" saved
kill_agent "$member"
await_text "node 1 ($member): its agent has died or cannot be reached"
release "$member" saved
check_runs_on 0 1 2 3
newest=$(manifests | tail -n 1)
requeue_from "$newest" 1
lead=$(node_of 0)
member=$(node_of 1)

say "--- the member's agent is killed while the lead commits"
hold "$lead" commit
await_held "$lead" commit
kill_agent "$member"
check_runs_on 2 3
release "$lead" commit
check_runs_on 0 1 2 3
newest=$(manifests | tail -n 1)
requeue_from "$newest" 2
lead=$(node_of 0)
member=$(node_of 1)

say "--- the lead's agent is killed before it has committed"
hold "$lead" commit
await_held "$lead" commit
kill_agent "$lead"
check_runs_on 0 1 2 3
newest=$(manifests | tail -n 1)
release "$lead" commit
check_runs_on 0 1 2 3
[ "$(manifests | tail -n 1)" = "$newest" ] || fail "committed after all"
requeue_from "$newest" 3
check_runs_on 0 1 2 3
root scancel "$job"
await_end CANCELLED
check_one_program 0 1 2 3
check_no_images
