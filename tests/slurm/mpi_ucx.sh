#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mpi_ucx.sh - four ranks of Open MPI on one node that talk by UCX (shared
# memory) are moved; every byte that they get is checked
source "$(dirname "$0")/mpi_lib.sh"

need mpi_stress libopenmpi-dev
use_ucx
submit_ranks "$programs/mpi_stress -s -u 30000"
for i in 1 2; do
	await_count $(($(counted) + 5 + RANDOM % 20))
	move "$i"
done
finish_stress
