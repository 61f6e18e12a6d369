# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mpi_lib.sh - what the tests with several ranks on one node share
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# shellcheck disable=SC2034 # for those who source this
programs=/run/spank_cr/tests/slurm

need() # PROGRAM PACKAGE: that the build has made it
{
	[ -x "$build/tests/slurm/$(basename "$1")" ] ||
		skip "$1 was not built: $2 is missing"
}

# submit_ranks "COMMAND" OPTION...: four ranks of COMMAND by srun
submit_ranks()
{
	local command=$1
	shift
	submit -p low --nodes=1 --ntasks=2 "$@" <<-EOF
	#!/bin/bash
	${btl:+export OMPI_MCA_btl=$btl}
	srun --mpi=pmix --overcommit --ntasks=4 $command
	echo "srun ended with \$?"
	EOF
}

# A job of partition high takes the node; the ranks go on on another.
move() # RESTARTS
{
	preempt
	await 60 "restart $1" restarts_are "$1"
	await 60 "ranks on another node" is_restarted "$1"
	root scancel "$blocker"
	say "they run on $(field NodeList)"
}

is_restarted() # TIMES, by the agents' logs
{
	[ "$(cat "$shared/../nodes"/*/log/spank_cr.log |
		grep -c "$job.0: restarted 4 rank trees")" = "$1" ]
}

check_ended_well()
{
	grep -qx 'srun ended with 0' "$(output)" || fail "srun did not end well"
	! grep -q WRONG "$(output)" || fail "$(grep -m 1 WRONG "$(output)")"
}

# Nobody may be left of a step that is over.
no_relay_left()
{
	local node
	for node in $(root sinfo -h -N -p low -o %n | sort -u); do
		! lab exec "$node" pgrep -x cr-pmix >/dev/null || return 1
	done
}
