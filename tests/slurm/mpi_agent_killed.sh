#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mpi_agent_killed.sh - ranks whose agent is killed run to their end: the relay
# to their PMIx server lives on
source "$(dirname "$0")/mpi_lib.sh"

need mpi_stress libopenmpi-dev
submit_ranks "$programs/mpi_stress -n 200 -u 30000"
await_count 20
node=$(field NodeList)
for pid in $(agents "$node"); do
	! lab exec "$node" grep -qz "^$job.0" "/proc/$pid/cmdline" ||
		lab exec "$node" kill -KILL "$pid"
done
one_agent_left()
{
	[ "$(agents "$node" | wc -l)" = 1 ]
}
await 10 "end of the step's agent" one_agent_left
say "the agent is dead at $(counted)"
await_end COMPLETED 120
check_ended_well
check_output 200
await 30 "end of the relays" no_relay_left
