#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# nodes_restart.sh - a step of two nodes goes on after its lead node has crashed
# in the middle of a checkpoint, and something is wrong with that on one node: all
# nodes take the same generation, and none runs before all do
NODES=4
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/nodes_lib.sh"

use_test_agent
echo block >"$work/layout"
user mkfifo "/shared/$test_name/input"
submit -p low -N2 --ntasks-per-node=2 --cr-interval=2 <<EOF2
#!/bin/bash
export SLURM_DISTRIBUTION=\$(cat layout)
# it reads what cannot be read again, so the script begins anew each time
srun --output=rank.%t $count -n 600 <>input
echo "srun ended with \$?"
EOF2
step=step_0 # the script has manifests, too
await 60 "two generations" has_generations 2
check_runs_on 0 1 2 3

say "--- the lead's node crashes, and the newest image of node 1 is damaged"
lead=$(node_of 0)
hold "$lead" write
await_held "$lead" write
lab crash "$lead"
newest=$(manifests | tail -n 1)
older=$(manifests | tail -n 2 | head -n 1)
printf '\377\376\375\374' | dd of="${newest%/*}/node_1.img" bs=1 conv=notrunc \
	status=none seek=$(($(stat -c %s "${newest%/*}/node_1.img") / 2))
root scontrol update nodename="$lead" state=down reason="crash test"
await 60 "restart" restarts_are 1
await_log "restart from checkpoint $(generation_of "$newest"): node 1"
await_log "restart from checkpoint $(generation_of "$older")"
check_runs_on 0 1 2 3
lab boot "$lead"
lab exec "$lead" mkdir -p /run/hold
await_new_generation

say "--- a restarter is killed at the gate: nobody has run, all try again"
for node in $(root scontrol show hostnames "$(field NodeList)"); do
	root scontrol update nodename="$node" state=drain reason=test
done
for node in n1 n2 n3 n4; do
	hold $node gate
done
requeue
await 60 "restart" restarts_are 2
await 60 "two nodes at the gate" are_held 2 gate
member=$(node_of 1)
newest=$(manifests | tail -n 1)
check_held_still
lab exec "$member" pkill -KILL -x cr-restart
await_log "restart from checkpoint $(generation_of "$newest"): node 1"
for node in n1 n2 n3 n4; do
	release $node gate
	root scontrol update nodename="$LAB_NAME-$node" state=resume \
		2>/dev/null || : # one that was not drained
done
check_runs_on 0 1 2 3
await_new_generation

say "--- other ranks on each node: refused, and begun anew"
echo cyclic >"$work/layout"
cat "$work"/rank.? | grep '^count' | cut -d' ' -f3 | sort -u >"$work/before"
[ "$(wc -l <"$work/before")" = 4 ] || fail "not four programs until now"
check_one_program 0 1 2 3
requeue
await 60 "restart" restarts_are 3
await_text "it has ranks 0,2 now, and had ranks 0-1 when they were saved"
await_text "the program begins anew"
root scancel "$job"
await_end CANCELLED
check_no_images
