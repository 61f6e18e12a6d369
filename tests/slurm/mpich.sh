#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mpich.sh - four ranks of MPICH on one node, by PMI-2 of srun, talk all the
# time, and are moved again and again at random moments; every byte that they
# get is checked, and MPI_Finalize asks the server that the last move has given
# them.  Periodic checkpoints are made too
source "$(dirname "$0")/mpi_lib.sh"

need mpich_stress libmpich-dev
pmi=pmi2
submit_ranks "$programs/mpich_stress -w -s -u 30000" --cr-interval=4
for i in $(seq "${MPI_MOVES:-3}"); do
	await_count $(($(counted) + 5 + RANDOM % 20))
	move "$i"
done
finish_stress
await 30 "end of the relays" no_relay_left
