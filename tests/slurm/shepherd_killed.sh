#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shepherd_killed.sh - the shepherd is killed: its rank ends too, the job
# fails with that signal, and nothing is left
source "$(dirname "$0")/lib.sh"

submit_count "-n 1000" -p low
await_count 5
node=$(field NodeList)
pid=$(lab exec "$node" scontrol listpids "$job" |
	awk -v job="$job" '$2 == job && $4 == 0 { print $1 }')
[ -n "$pid" ] || fail "scontrol listpids does not know the shepherd"
lab exec "$node" kill -KILL "$pid"
await 60 "end of the job" job_is_over
state_is FAILED || fail "the job is $(field JobState), not FAILED"
[ "$(field ExitCode)" = 0:9 ] || fail "exit code is $(field ExitCode)"
! lab exec "$node" pgrep -x count || fail "its program is still there"
[ -z "$(agents "$node")" ] || fail "the agent is still there"
check_nodes_idle
