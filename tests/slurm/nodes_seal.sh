#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# nodes_seal.sh - a step of two nodes: what somebody else has put in the place of
# a node's part of the manifest is not committed, a forged image of one node is
# refused by all, and programs run while images are digested
NODES=2
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/nodes_lib.sh"

use_test_agent
submit_step 400 --cr-interval=2
await 60 "a generation" has_generations 1
member=$(node_of 1)

say "--- programs run while $member digests its image, and its part is altered"
hold "$member" digested
await_held "$member" digested
check_runs_on 0 1 2 3
part=$(find "$shared/cr/job_$job" -name node_1.json)
grep -q '"seal": "MUNGE:' "$part" || fail "no seal in $part"
sed -i 's/"uid": [0-9]*/"uid": 0/' "$part"
release "$member" digested
await_text "node 1: node_1.json has been altered since it was sealed"
check_runs_on 0 1 2 3
await_new_generation

say "--- the agent of $member dies while it digests: the others run on"
hold "$member" digested
await_held "$member" digested
kill_agent "$member"
await_text "node 1 ($member): its agent has died or cannot be reached"
release "$member" digested
check_runs_on 0 1 2 3
newest=$(manifests | tail -n 1)
requeue_from "$newest" 1

say "--- the newest image of node 1 is forged"
await_new_generation
older=$(manifests | tail -n 1)
requeue
await 30 "a pending job" state_is PENDING
newest=$(manifests | tail -n 1)
[ "$newest" != "$older" ] || older=$(manifests | tail -n 2 | head -n 1)
python3 "$top/tests/slurm/forge.py" "${newest%/*}/node_1.img"
await 90 "restart" restarts_are 2
await_log "restart from checkpoint $(generation_of "$newest"): node 1"
await_log "node_1.img is not what was saved"
await_log "restart from checkpoint $(generation_of "$older")"
check_runs_on 0 1 2 3
check_one_program 0 1 2 3
root scancel "$job"
await_end CANCELLED
check_no_images
