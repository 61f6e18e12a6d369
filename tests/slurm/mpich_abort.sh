#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mpich_abort.sh - MPI_Abort of one rank of MPICH after a restart ends the step,
# with an exit code other than 0, on the new node
source "$(dirname "$0")/mpi_lib.sh"

need mpich_stress libmpich-dev
pmi=pmi2
submit_ranks "$programs/mpich_stress -w -n 2000 -u 50000 -a 70"
await_count 20
move 1
await 90 "abort of rank 1" grep -q 'application called MPI_Abort' "$(output)"
await_end COMPLETED 60
grep -q 'srun ended with [1-9]' "$(output)" || fail "srun did not tell"
[ "$(counted)" -le 71 ] || fail "the others went on to $(counted)"
await 30 "end of the relays" no_relay_left
