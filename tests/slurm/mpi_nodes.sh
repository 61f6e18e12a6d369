#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mpi_nodes.sh [mpich] - ranks on two nodes talk all the time, and are moved to
# two others again and again at random moments; every byte that they get is
# checked.  Periodic checkpoints are made too
NODES=4
source "$(dirname "$0")/mpi_lib.sh"

use_stress -s -u 30000
times=${MPI_MOVES:-3}
ranks=${MPI_RANKS:-2} # on each node
submit_nodes "$ranks" "$stress" --cr-interval=4
for i in $(seq "$times"); do
	await_count $(($(counted) + 2 + RANDOM % 10))
	move_nodes "$i" "$ranks"
done
finish_stress
await 30 "end of the relays" no_relay_left
