#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mpirun_killed.sh - the task of cr-mpirun on the second node is killed after a
# move: all of it ends soon, the script is told, and nobody is left
NODES=4
source "$(dirname "$0")/mpi_lib.sh"

need mpi_stress libopenmpi-dev
submit_mpirun "mpirun --oversubscribe -np 4 --map-by ppr:2:node" \
	"$programs/mpi_stress -s -u 30000"
await_count 20
move_mpirun 1
await_count $(($(counted) + 5))
node=$(root scontrol show hostnames "$(field NodeList)" | sed -n 2p)
say "killing cr-mpirun on $node"
lab exec "$node" pkill -KILL -x cr-mpirun
await_end COMPLETED 60
grep -q 'srun ended with [1-9]' "$(output)" || fail "the script was not told"

nobody_is_left()
{
	local node name
	for node in $(root sinfo -h -N -p low -o %n | sort -u); do
		for name in mpi_stress orted cr-mpirun mpirun; do
			! lab exec "$node" pgrep -x $name >/dev/null || return 1
		done
	done
}
await 30 "end of all processes" nobody_is_left
