#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# het_job.sh - all components of a heterogeneous job are queued again and go on,
# the script in the middle, also if its steps are of another component than its
# own, and if the step of one component is all that hears of the preemption
source "$(dirname "$0")/lib.sh"

submit -p lowgrace -N1 -n1 : -p lowgrace -N1 -n2 <<EOF
#!/bin/bash
echo begun
srun --het-group=1 --output=other.%t $count -n 35
echo "other: \$?"
srun --output=own $count -n 35 &
srun --het-group=0,1 --overlap --output=both.%t $count -n 35
echo "both: \$?"
wait
EOF
components=$job,$((job + 1))

preempt_component() # JOB: the node of that one
{
	local node
	node=$(field NodeList "$1")
	say "a job of partition high takes $node"
	printf '#!/bin/bash\nsleep 300\n' >"$work/high"
	blocker=$(user sbatch --parsable -p high -w "$node" --cr=off \
		--output=/dev/null "/shared/$test_name/high")
}

await 60 "output of the other component" has_counted 10 "$work/other.1"
preempt_component $((job + 1))
await 60 "restart" restarts_are 1
await 60 "output of the spanning step" has_counted 10 "$work/both.2"
await 60 "output of the step beside it" has_counted 10 "$work/own"
root scancel "$blocker"
requeue
await 60 "second restart" restarts_are 2
await_end COMPLETED
for said in begun 'other: 0' 'both: 0'; do
	[ "$(grep -cx "$said" "$(output)")" = 1 ] || fail "not once: $said"
done
for file in other.0 other.1 own both.0 both.2; do
	check_output 35 "$work/$file"
done
check_moved "$work/other.1"
for job in ${components//,/ }; do
	check_no_images
done
