#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mpirun_nodes.sh [mpich] - an mpirun (or MPICH's mpiexec, Hydra) of two nodes in
# a batch script, by cr-mpirun, is moved to two others again and again: mpirun,
# its daemons and all ranks.  Every byte that the ranks get is checked, and all of
# it ends.  Periodic checkpoints are made too
NODES=4
source "$(dirname "$0")/mpi_lib.sh"

use_stress -s -u 30000
ranks=${MPI_RANKS:-2} # on each node
mpirun="mpirun --oversubscribe -np $((2 * ranks)) --map-by ppr:$ranks:node"
# they end without MPI_Finalize, and Hydra kills those that have not yet
[ -z "${pmi:-}" ] ||
	mpirun="mpiexec.mpich -disable-auto-cleanup -np $((2 * ranks)) -ppn $ranks"
times=${MPI_MOVES:-2}
submit_mpirun "$mpirun" "$stress" --cr-interval=4
for i in $(seq "$times"); do
	await_count $(($(counted) + 2 + RANDOM % 10))
	move_mpirun "$i"
done
finish_stress
