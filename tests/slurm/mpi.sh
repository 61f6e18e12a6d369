#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mpi.sh - four ranks of Open MPI talk all the time, and are moved again and
# again at random moments; every byte that they get is checked.  Periodic
# checkpoints, between which they run on, are made too
source "$(dirname "$0")/mpi_lib.sh"

need mpi_stress libopenmpi-dev
times=${MPI_MOVES:-4}
# some ten seconds more than the last move is at, for a busy machine
last=$((times * 60 + 300))
submit_ranks "$programs/mpi_stress -n $last -u 30000" --cr-interval=4
for i in $(seq "$times"); do
	await_count $(((i - 1) * 45 + 10 + RANDOM % 20))
	move "$i"
done
await_end COMPLETED 180
check_ended_well
check_output $last
check_moved
check_no_images
await 30 "end of the relays" no_relay_left
