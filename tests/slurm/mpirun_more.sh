#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mpirun_more.sh [nodes] - shared and dynamic windows, MPI-IO, MPI_Comm_spawn and
# connections by a port's name, begun before and after moves to another node and
# back, under an mpirun in a batch script.  nodes: the same on two nodes each, by
# cr-mpirun, but for processes that are spawned after a move: on other nodes they
# do not find the moved ones
[ "${1:-}" != nodes ] || export test_name=mpirun_more_nodes
NODES=$([ "${1:-}" = nodes ] && echo 4 || echo 2)
source "$(dirname "$0")/mpi_lib.sh"

need mpi_more libopenmpi-dev
more="$programs/mpi_more shared dynamic file spawned accepted accept"
if [ "${1:-}" = nodes ]; then
	osc=pt2pt,sm # sm: shared windows
	submit_mpirun "mpirun --oversubscribe -np 4 --map-by ppr:2:node" "$more"
else
	submit -p low --nodes=1 --ntasks=2 <<-EOF
	#!/bin/bash
	export OMPI_MCA_btl_tcp_if_include=lo # an address of every node
	mpirun --oversubscribe -np 4 $more spawn
	echo "srun ended with \$?"
	EOF
fi
for i in 1 2; do
	await_count $(($(counted) + 5))
	preempt
	await 90 "restart $i" restarts_are $i
	await_count $(($(counted) + 3))
	root scancel "$blocker"
done
finish_stress
