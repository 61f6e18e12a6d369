#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mpich_nodes.sh - ranks of MPICH on two nodes, by PMI-2 of srun, are moved to
# two others again and again at random moments; every byte that they get is
# checked.  Periodic checkpoints are made too
NODES=4
source "$(dirname "$0")/mpi_lib.sh"

need mpich_stress libmpich-dev
pmi=pmi2
ranks=${MPI_RANKS:-2} # on each node
submit_nodes "$ranks" "$programs/mpich_stress -w -e -s -u 30000" --cr-interval=4
for i in $(seq "${MPI_MOVES:-3}"); do
	await_count $(($(counted) + 5 + RANDOM % 20))
	move_nodes "$i" "$ranks"
done
finish_stress
await 30 "end of the relays" no_relay_left
