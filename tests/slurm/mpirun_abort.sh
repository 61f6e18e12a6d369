#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mpirun_abort.sh - MPI_Abort of one rank of an mpirun by cr-mpirun, after a
# move, ends all of it, with its code
NODES=4
source "$(dirname "$0")/mpi_lib.sh"

need mpi_stress libopenmpi-dev
submit_mpirun "mpirun --oversubscribe -np 4 --map-by ppr:2:node" \
	"$programs/mpi_stress -n 2000 -u 50000 -a 90"
await_count 20
move_mpirun 1
# mpirun's own words about it are lost when another rank complains first that
# its connection has gone
await 120 "end after the abort" grep -q '^srun ended with' "$(output)"
await_end COMPLETED 60
grep -qx 'srun ended with 7' "$(output)" || fail "the script was told otherwise"
[ "$(counted)" -ge 89 ] || fail "ended at $(counted), before the abort"
[ "$(counted)" -le 91 ] || fail "the others went on to $(counted)"
