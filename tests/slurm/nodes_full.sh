#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# nodes_full.sh - the checkpoint file system of a step of two nodes gets full while
# one of them writes: none of it counts, the step runs on, the older
# generation stays, and there is a new one as soon as there is room
NODES=4
if [ -z "${CR_SMALL:-}" ]; then # what is mounted goes with the namespace
	CR_SMALL=$(mktemp -d /var/tmp/cr-small.XXXXXX)
	export CR_SMALL
	unshare --mount "$0" "$@"
	code=$?
	rmdir "$CR_SMALL"
	exit $code
fi
mount -t tmpfs -o size=60m,mode=1777 none "$CR_SMALL" # seen by all nodes
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/nodes_lib.sh"

small_generations()
{
	manifests "$CR_SMALL"
}

has_small_generation() # OTHER-THAN
{
	local newest
	newest=$(small_generations | tail -n 1)
	[ -n "$newest" ] && [ "$newest" != "$1" ]
}

submit -p low -N2 --ntasks-per-node=1 --cr-interval=3 --cr-dir="$CR_SMALL" <<EOF
#!/bin/bash
srun --output=rank.%t $count -n 250 -m 16
echo "srun ended with \$?"
EOF
await 60 "a generation" has_small_generation ""
say "room for one node's image more: $(df --output=avail -m "$CR_SMALL" |
	tail -n 1) MiB"
await 60 "failure" has_text "checkpoint failed"
older=$(small_generations | tail -n 1)
grep -h -m 1 "checkpoint failed" "$work/rank.0" "$(output)" | tee "$work/why"
grep -q "node [01] .*[Nn]o space" "$work/why" ||
	fail "it does not say where, and why"
check_runs_on 0 1
[ -e "$older" ] || fail "the older generation is gone"

mount -o remount,size=500m "$CR_SMALL"
await 60 "new generation" has_small_generation "$older"
preempt
await 60 "restart" restarts_are 1
await_end COMPLETED 120
check_output 250 "$work/rank.0"
check_output 250 "$work/rank.1"
check_moved "$work/rank.0"
check_no_images "$CR_SMALL"
