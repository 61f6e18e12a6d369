#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mpich_mpirun.sh - MPICH's own mpiexec (Hydra) of two nodes in a batch script,
# by cr-mpirun, is moved to two others again and again: mpiexec, its proxies and
# all ranks.  Every byte that the ranks get is checked, and all of it ends
NODES=4
source "$(dirname "$0")/mpi_lib.sh"

need mpich_stress libmpich-dev
times=${MPI_MOVES:-2}
submit_mpirun "mpiexec.mpich -np 4 -ppn 2" "$programs/mpich_stress -w -e -s -u 30000" \
	--cr-interval=4
for i in $(seq "$times"); do
	await_count $(($(counted) + 5 + RANDOM % 20))
	move_mpirun "$i"
done
finish_stress
