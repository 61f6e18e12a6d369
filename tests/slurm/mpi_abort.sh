#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mpi_abort.sh [mpich] - MPI_Abort of one rank after a restart ends the step, with
# an exit code other than 0, on the new node
source "$(dirname "$0")/mpi_lib.sh"

use_stress -n 2000 -u 50000 -a 120
submit_ranks "$stress"
await_count 20
move 1
await 90 "abort of rank 1" grep -Eq \
	'MPI_ABORT was invoked on rank 1|application called MPI_Abort' "$(output)"
await_end COMPLETED 60
grep -q 'srun ended with [1-9]' "$(output)" || fail "srun did not tell"
[ "$(counted)" -le 121 ] || fail "the others went on to $(counted)"
await 30 "end of the relays" no_relay_left
