#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mpi_nodes_late.sh [mpich] - ranks on two nodes that have not spoken to those of
# the other node before they are moved do so afterwards
NODES=4
source "$(dirname "$0")/mpi_lib.sh"

use_stress -l -s -u 30000
submit_nodes 2 "$stress"
await 60 "pairs of ranks" grep -qsx apart "$(output)"
for i in 1 2; do
	move_nodes $i 2
done
user touch "/shared/$test_name/meet"
await 60 "meeting of the pairs" grep -qx together "$(output)"
await_count 5
touch "$work/stop"
await_end COMPLETED 60
check_ended_well
