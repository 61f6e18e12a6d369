#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# job_kinds.sh - steps side by side of which one cannot be saved; programs that
# are put on each node (--bcast, sbcast); jobs that cannot be requeued; partitions
# that cancel what they preempt
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/nodes_lib.sh"

disk=/var/lib/slurm/slurmd/disk # a node's own; its /tmp is in memory
for node in $(lab_nodes); do
	lab exec "$node" sh -c "chmod 711 ${disk%/*}; mkdir -pm 1777 $disk"
done
cat >>"$shared/../etc/slurm.conf" <<'EOF'
PartitionName=cancel PriorityTier=1 PreemptMode=CANCEL OverSubscribe=NO
EOF
root scontrol reconfigure
cp "$build/tests/slurm/count" "$work/"
cat >"$work/udp.py" <<'EOF'
import os, socket, time
outside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
outside.bind(("", 0))
token = os.urandom(4).hex()
for number in range(1, 31):
    print("count", number, token, socket.gethostname(), flush=True)
    time.sleep(0.2)
EOF
printf '0 %s -n 60\n1 %s -n 50 -p 250\n' "$count" "$count" \
	>"$work/programs"

# A step whose program is not on the node is not tried again before it fails.
sed -i 's/dir=/retries=0 dir=/' "$shared/../etc/plugstack.conf"

# Side by side, on one node: steps of which one refuses and one is over; and a
# program that the next node has not.
submit -p share -n1 <<EOF
#!/bin/bash
srun --overlap python3 udp.py >refuses &
srun --overlap --overcommit -n2 --multi-prog --output=multi.%t programs &
srun --overlap --bcast=/tmp/count.\$SLURM_JOB_ID ./count -n 60 >bcast &
srun --overlap $count -n 2 >over &
wait
echo "all are over"
EOF
steps=$job
await 30 "running job" state_is RUNNING
node=$(field NodeList)
submit -p cancel -n1 <<EOF
#!/bin/bash
sbcast count $disk/program
srun --output=program $disk/program -n 60
EOF
program=$job

# On another: jobs that will never go on.
user salloc -Q -p share -n1 -x "$node" srun --cr-interval=1 \
	--output="/shared/$test_name/interactive" "$count" -n 1000 \
	>"$work/salloc" 2>&1 &
submit_count "-n 1000" -p share -n1 -x "$node" --no-requeue --cr-interval=1
once=$job
for file in refuses multi.0 multi.1 bcast program interactive "$once.out"; do
	await 60 "output of $file" has_counted 8 "$work/$file"
done
interactive=$(root squeue -h -o %A | grep -vxe "$steps" -e "$program" -e "$once")
await 30 "periodic checkpoint" has_generations 1
[ "$(field NodeList "$program")" = "$node" ] || fail "not all on $node"

preempt # the last job's node
job=$steps
preempt
for job in $once $interactive; do
	await_end PREEMPTED 30
	check_no_images
done
wait

job=$steps
await 60 "restart" restarts_are 1
job=$program
await 60 "restart in a partition that cancels" restarts_are 1
await_end FAILED 60
grep -q "step's program is not on this node" "$work/program" ||
	fail "it is not said why"
has_generations 1 || fail "what was saved of it is lost"
requeue # the script brings it there
await_end COMPLETED 60
check_output 60 "$work/program"
check_moved "$work/program"
check_no_images

job=$steps
await_end COMPLETED 60
check_begun_anew "$work/refuses"
grep -q 'UDP socket' "$(output)" || fail "it is not said why"
[ "$(grep -cx 'all are over' "$(output)")" = 1 ] || fail "the script is lost"
check_output 60 "$work/multi.0"
check_output 50 "$work/multi.1"
check_output 60 "$work/bcast"
check_output 2 "$work/over"
check_moved "$work/bcast"
check_no_images
