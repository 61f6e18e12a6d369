#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mpi_nodes_ofi.sh - ranks of Open MPI on two nodes that talk by libfabric (TCP)
# are moved to two others; every byte that they get is checked
NODES=4
source "$(dirname "$0")/mpi_lib.sh"

need mpi_stress libopenmpi-dev
use_ofi
submit_nodes 2 "$programs/mpi_stress -s -u 30000"
for i in 1 2; do
	await_count $(($(counted) + 5 + RANDOM % 20))
	move_nodes "$i" 2
done
finish_stress
