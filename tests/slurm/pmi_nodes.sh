#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# pmi_nodes.sh - four ranks on two nodes with nothing but PMI (srun
# --mpi=pmi2) are moved twice, half of them in a fence: the last servers know
# what the first had been told, and the fence ends when all have come
NODES=4
source "$(dirname "$0")/mpi_lib.sh"

pmi=pmi2
submit_nodes 2 "$programs/pmi_client"
for i in 1 2; do
	await_count $(($(counted) + 5))
	move_nodes $i 2
done
await_count $(($(counted) + 5))
touch "$work/go"
await_end COMPLETED 60
check_ended_well
check_output "$(counted)"
check_moved
for line in "early values are right" "late values are right" finalized; do
	grep -qx "$line" "$(output)" || fail "no line '$line'"
done
await 30 "end of the relays" no_relay_left
