#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mpirun_signal.sh - a signal to cr-mpirun comes to the mpirun, and through it
# once to each rank, before a move and after it
NODES=4
source "$(dirname "$0")/mpi_lib.sh"

cat >"$work/rank.sh" <<'EOS'
#!/bin/bash
trap 'n=$((n + 1)); echo "rank $OMPI_COMM_WORLD_RANK got $n"' USR1
n=0
echo "rank $OMPI_COMM_WORLD_RANK is there"
until [ -e stop ]; do sleep 0.1; done
EOS
chmod +x "$work/rank.sh"
submit_mpirun "mpirun --oversubscribe -np 2 --map-by ppr:1:node" ./rank.sh

heard() # TEXT...: from both ranks
{
	[ "$(grep -cx "rank [01] $*" "$(output)")" = 2 ]
}

# All sruns of the script's step; srun passes the signal on to its tasks.
signal()
{
	local node
	node=$(field BatchHost)
	lab exec "$node" pkill -USR1 -x -o srun
}

await 60 "ranks" heard is there
signal
await 20 "signal of both" heard got 1
move_mpirun 1
signal
await 20 "second signal of both" heard got 2
sleep 2
[ "$(grep -c got "$(output)")" = 4 ] || fail "a rank got more than was sent"
touch "$work/stop"
await_end COMPLETED 60
check_ended_well
