#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mpi_merged.sh - Open MPI's ranks of two nodes, which talk all the time, go on
# together on one node, on two again, and so on; every byte that they get is
# checked
NODES=3
source "$(dirname "$0")/mpi_lib.sh"

use_stress -s -u 30000
times=${MPI_MOVES:-3}
user mkfifo "/shared/$test_name/input"
submit -p low --nodes=2 --ntasks-per-node=2 <<-EOF
#!/bin/bash
export OMPI_MCA_pml=ob1 OMPI_MCA_osc=pt2pt OMPI_MCA_mpi_yield_when_idle=1
unset SLURM_NTASKS_PER_NODE SLURM_TASKS_PER_NODE
[ ! -e together ] || export SLURM_NNODES=1 SLURM_JOB_NUM_NODES=1
# it reads what cannot be read again, so the script begins anew each time
srun --mpi=pmix --overcommit --ntasks=4 $stress <>input
echo "srun ended with \$?"
EOF

nodes_of_step()
{
	root scontrol -o show step "$job.0" | grep -o 'Nodes=[0-9]*'
}

for i in $(seq "$times"); do
	await_count $(($(counted) + 2 + RANDOM % 10))
	before=$(nodes_of_step)
	if [ $((i % 2)) = 1 ]; then
		touch "$work/together"
	else
		rm "$work/together"
	fi
	requeue
	await 90 "restart $i" restarts_are "$i"
	await 90 "ranks that run again" are_restarted "$i" 2
	[ "$(nodes_of_step)" != "$before" ] ||
		fail "the step has $before, as before"
	say "they run on $(nodes_of_step)"
done
await_count $(($(counted) + 5))
touch "$work/stop"
await_end COMPLETED 180
check_ended_well
check_output "$(counted)"
check_no_images
await 30 "end of the relays" no_relay_left
