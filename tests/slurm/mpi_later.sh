#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mpi_later.sh - a script is moved before it starts its MPI step: that is started
# on the new nodes
NODES=4
source "$(dirname "$0")/mpi_lib.sh"

need mpi_stress libopenmpi-dev
submit -p low --nodes=2 --ntasks-per-node=2 <<EOF
#!/bin/bash
export OMPI_MCA_pml=ob1 OMPI_MCA_osc=pt2pt
for ((i = 1; i <= 20; i++)); do
	echo "preparing \$i"
	sleep 0.2
done
srun --mpi=pmix --overcommit --ntasks=4 --ntasks-per-node=2 \
	$programs/mpi_stress -s -u 30000
echo "srun ended with \$?"
EOF
await 30 "script that has begun" grep -qs 'preparing 5' "$(output)"
first=$(field NodeList)
preempt
await 60 "restart" restarts_are 1
await 30 "job that runs" state_is RUNNING
root scancel "$blocker"
[ "$(field NodeList)" != "$first" ] || fail "still on $first"
await_count 20 # the ranks do
touch "$work/stop"
await_end COMPLETED
check_ended_well
check_output "$(counted)"
for i in {1..20}; do
	[ "$(grep -cx "preparing $i" "$(output)")" = 1 ] || fail "not once: $i"
done
check_no_images
