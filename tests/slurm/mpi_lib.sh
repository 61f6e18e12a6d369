# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mpi_lib.sh - what the tests with several ranks on one node share
#
# A test may set, before it submits:
#	btl	what Open MPI is to use
#	osc	the same for windows, under cr-mpirun, instead of pt2pt
#	pmi	srun's --mpi, instead of pmix
#	settings	what else to export: NAME=VALUE...
# Some take an argument, "mpich": then they are about MPICH, by PMI-2 of srun.
[ "${1:-}" != mpich ] || test_name=$(basename "$0" .sh | sed 's/^\(mpi_\)*/mpich_/')
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# use_stress OPTION...: sets $stress, the command mpi_stress of the MPI that the
# test's argument names.  Debian's MPICH has no windows of its own memory, and
# no end over several nodes.
use_stress()
{
	stress="$programs/mpi_stress $*"
	if [[ $test_name != mpich_* ]]; then
		need mpi_stress libopenmpi-dev
		return
	fi
	need mpich_stress libmpich-dev
	pmi=pmi2
	# shellcheck disable=SC2034 # for the test
	stress="$programs/mpich_stress -w ${NODES:+-e} $*"
}

# Open MPI by UCX; of itself it does so only where there is RDMA.
use_ucx()
{
	settings="OMPI_MCA_pml=ucx OMPI_MCA_opal_common_ucx_tls=any"
	settings+=" OMPI_MCA_opal_common_ucx_devices=any UCX_TLS=tcp,sm,self"
}

# Open MPI by libfabric; of itself it never takes TCP there.
use_ofi()
{
	settings="OMPI_MCA_pml=cm OMPI_MCA_mtl=ofi FI_PROVIDER='tcp;ofi_rxm'"
	settings+=" OMPI_MCA_mtl_ofi_provider_include='tcp;ofi_rxm'"
}

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
	${settings:+export $settings}
	srun --mpi=${pmi:-pmix} --overcommit --ntasks=4 $command
	echo "srun ended with \$?"
	EOF
}

# submit_nodes RANKS "COMMAND" OPTION...: so many on each of two nodes
submit_nodes()
{
	local ranks=$1 command=$2
	shift 2
	submit -p low --nodes=2 --ntasks-per-node=2 "$@" <<-EOF
	#!/bin/bash
	export OMPI_MCA_pml=ob1
	export OMPI_MCA_osc=pt2pt # Debian's choice of itself fails over TCP
	${btl:+export OMPI_MCA_btl=$btl}
	${settings:+export $settings}
	srun --mpi=${pmi:-pmix} --overcommit --ntasks=$((2 * ranks)) \
		--ntasks-per-node=$ranks $command
	echo "srun ended with \$?"
	EOF
}

# Jobs of partition high take both nodes; the ranks go on on two others.
move_nodes() # RESTARTS RANKS: so many on each
{
	preempt
	await 90 "restart $1" restarts_are "$1"
	await 90 "ranks on other nodes" are_restarted "$1" "$2"
	root scancel "$blocker"
	say "they run on $(field NodeList)"
}

# Two ranks on each of two nodes, which talk by what has been chosen, are moved
# twice.
stress_nodes()
{
	local i
	need mpi_stress libopenmpi-dev
	submit_nodes 2 "$programs/mpi_stress -s -u 30000"
	for i in 1 2; do
		await_count $(($(counted) + 5 + RANDOM % 20))
		move_nodes "$i" 2
	done
	finish_stress
}

are_restarted() # TIMES RANKS
{
	[ "$(cat "$shared/../nodes"/*/log/spank_cr.log |
		grep -c "$job.0: restarted $2 rank trees")" = $((2 * $1)) ]
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
	check_log
}

# What nobody would call an error must not be logged as one.
check_log()
{
	local line
	line=$(cat "$shared/../nodes"/*/log/spank_cr.log | grep -F " $job.0: " |
		grep -m 1 -e "old checkpoints" -e "relay has died") || return 0
	fail "in the log: $line"
}

# Nobody may be left of a step that is over.
no_relay_left()
{
	local node
	for node in $(root sinfo -h -N -p low -o %n | sort -u); do
		! lab exec "$node" pgrep -x cr-pmix >/dev/null || return 1
	done
}

# Tell pmix_client, which has been moved, to ask for the rest and to end.
finish_pmix_client()
{
	local line
	await_count $(($(counted) + 5))
	user touch "/shared/$test_name/go"
	await_end COMPLETED 60
	check_ended_well
	check_output "$(counted)"
	check_moved
	for line in "early values are right" "late values are right" \
		"the event has come" finalized; do
		grep -qx "$line" "$(output)" || fail "no line '$line'"
	done
}

# submit_mpirun "MPIRUN" "COMMAND" OPTION...: two nodes, by cr-mpirun
submit_mpirun()
{
	local mpirun=$1 command=$2
	shift 2
	submit -p low --nodes=2 --ntasks-per-node=2 "$@" <<-EOF
	#!/bin/bash
	export OMPI_MCA_pml=ob1 OMPI_MCA_osc=${osc:-pt2pt}
	/run/spank_cr/bin/cr-mpirun $mpirun $command
	echo "srun ended with \$?"
	EOF
}

# One tree a node: that of the task which is mpirun, or waits for its orders.
move_mpirun() # RESTARTS
{
	preempt
	await 90 "restart $1" restarts_are "$1"
	await 90 "mpirun on other nodes" are_restarted "$1" 1
	root scancel "$blocker"
	say "they run on $(field NodeList)"
}

# Tell mpi_stress -s, which has been moved, to end.
finish_stress()
{
	await_count $(($(counted) + 5))
	touch "$work/stop"
	await_end COMPLETED 180
	check_ended_well
	check_output "$(counted)"
	check_moved
	check_no_images
}
