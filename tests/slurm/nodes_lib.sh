# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2154 # lib.sh has set them
# nodes_lib.sh - for tests of steps of several nodes: hold an agent's worker in
# a phase (spank_cr/agent_hold.h), and see what that does

# srun does not begin as long as there is a file `wait`.
submit_step() # LAST OPTION...: two ranks on each of two nodes; $input: srun's
{
	local last=$1
	shift
	submit -p low -N2 --ntasks-per-node=2 "$@" <<-EOF
	#!/bin/bash
	while [ -e wait ]; do sleep 0.1; done
	srun --output=rank.%t $count -n $last ${input:+<>$input}
	echo "srun ended with \$?"
	EOF
	# shellcheck disable=SC2034 # the script has manifests, too: lib.sh
	step=step_0
	for rank in 0 1 2 3; do
		await 60 "output of rank $rank" has_counted 5 "$work/rank.$rank"
	done
}

lab_nodes()
{
	root sinfo -h -N -p low -o %N
}

has_no_images()
{
	(check_no_images) >/dev/null 2>&1
}

# From the next step on; nodes are silent for 3 s at most.
use_test_agent()
{
	local conf=$shared/../etc/plugstack.conf
	[ -x "$build/lib/spank_cr-agent-test" ] || fail "no test agent is built"
	grep -q agent-test "$conf" || sed -i \
		's|dir=|agent=/run/spank_cr/lib/spank_cr-agent-test timeout=3 dir=|' \
		"$conf"
	for node in $(lab_nodes); do
		lab exec "$node" rm -rf /run/hold
		lab exec "$node" mkdir -p /run/hold
	done
}

hold() # NODE POINT
{
	# one that was killed there has left the latter
	lab exec "$1" sh -c "rm -f /run/hold/$2.held; touch /run/hold/$2"
}

fail_at() # NODE POINT
{
	lab exec "$1" sh -c "echo fail >/run/hold/$2"
}

fail_all() # POINT
{
	local node
	for node in $(lab_nodes); do
		fail_at "$node" "$1"
	done
}

release() # NODE POINT
{
	lab exec "$1" rm -f "/run/hold/$2"
}

hold_all() # POINT
{
	local node
	for node in $(lab_nodes); do
		hold "$node" "$1"
	done
}

release_all() # POINT
{
	local node
	for node in $(lab_nodes); do
		release "$node" "$1"
	done
}

# On no node is a program that counts.
has_no_program()
{
	local node
	for node in $(lab_nodes); do
		! lab exec "$node" pgrep -x count >/dev/null || return 1
	done
}

is_held()
{
	lab exec "$1" test -e "/run/hold/$2.held"
}

are_held() # NUMBER POINT: on so many nodes
{
	local node nr=0
	for node in $(lab_nodes); do
		! is_held "$node" "$2" || nr=$((nr + 1))
	done
	[ $nr = "$1" ]
}

await_held() # NODE POINT
{
	await 30 "worker held at $2 on $1" is_held "$1" "$2"
}

node_of() # INDEX in the step
{
	root scontrol show hostnames "$(field NodeList)" |
		sed -n "$(($1 + 1))p"
}

agent_of() # NODE: that of the step; its workers and keeper come later
{
	lab exec "$1" pgrep -o -f "^spank_cr-agent $job\.[0-9]+$"
}

kill_agent() # NODE: that of the step
{
	local pid
	pid=$(agent_of "$1") || :
	[ -n "$pid" ] || fail "no agent on $1"
	say "killing agent $pid on $1"
	lab exec "$1" kill -KILL "$pid"
}

generation_of() # MANIFEST
{
	sed -n 's|.*/gen_\([0-9]*\)/.*|\1|p' <<<"$1"
}

has_text()
{
	grep -qsF -- "$1" "$work"/rank.? "$(output)"
}

# What the user is told.
await_text()
{
	await 30 "'$1' in the job's output" has_text "$1"
}

has_log()
{
	cat "$shared/../nodes"/*/log/spank_cr.log | grep -F " $job.0: " |
		grep -qF -- "$1"
}

await_log()
{
	await 60 "'$1' in the log" has_log "$1"
}

has_node_log()
{
	grep -F " $job.0: " "$shared/../nodes/$1/log/spank_cr.log" |
		grep -qF -- "$2"
}

await_node_log() # NODE TEXT
{
	await 30 "'$2' in the log of $1" has_node_log "$1" "$2"
}

newest_is_not()
{
	[ "$(manifests | tail -n 1)" != "$1" ]
}

await_new_generation()
{
	local newest
	newest=$(manifests | tail -n 1)
	await 40 "new generation" newest_is_not "$newest"
}

# Requeued, for the TIMES-th time, it goes on from that generation.
requeue_from() # MANIFEST TIMES
{
	requeue
	await 60 "restart" restarts_are "$2"
	await_log "restart from checkpoint $(generation_of "$1")"
	await_new_generation
}

# A checkpoint holds all of the step, the nodes that are done too.
check_held_still()
{
	local before
	sleep 0.3
	before=$(cat "$work"/rank.? | wc -l)
	sleep 0.6
	[ "$(cat "$work"/rank.? | wc -l)" = "$before" ] ||
		fail "somebody runs while others are saved"
}

check_runs_on() # RANK...
{
	for rank; do
		await 20 "more output of rank $rank" has_counted \
			$(($(counted "$work/rank.$rank") + 2)) \
			"$work/rank.$rank"
	done
}

# It may be counting while we look, so we look at what it has written so far.
check_one_program() # RANK...: no number is missing, none is there twice
{
	for rank; do
		cp "$work/rank.$rank" "$work/so_far"
		check_output "$(counted "$work/so_far")" "$work/so_far"
	done
}

# --- ranks that talk by TCP: talk.c -----------------------------------------

submit_talk() # "TALK-OPTIONS" OPTION...
{
	local options=$1
	shift
	submit -p low -N2 --ntasks-per-node=2 "$@" <<-EOF
	#!/bin/bash
	hosts=\$(scontrol show hostnames)
	[ ! -e reverse ] || hosts=\$(tac <<<"\$hosts")
	hosts=(\$hosts)
	[ ! -e together ] || hosts[1]=\${hosts[0]}
	for host in \${hosts[@]}; do echo \$host; echo \$host; done >hosts
	[ ! -e split ] || printf '%s\n' \${hosts[@]} \${hosts[@]} >hosts
	export SLURM_HOSTFILE=hosts
	unset SLURM_NTASKS_PER_NODE # srun's arguments have to stay the same
	export SLURM_NNODES=\$(sort -u hosts | wc -l)
	export SLURM_JOB_NUM_NODES=\$SLURM_NNODES
	srun --distribution=arbitrary --overcommit -n 4 --output=rank.%t \
		$programs/talk . stop $options
	echo "srun ended with \$?"
	EOF
	for rank in 0 1 2 3; do
		await "${PATIENCE:-60}" "output of rank $rank" has_counted 5 "$work/rank.$rank"
	done
}

all_run_again() # TIMES: the agents' logs of both nodes say so
{
	[ "$(cat "$shared/../nodes"/*/log/spank_cr.log |
		grep -c "$job.0: restarted 2 rank trees")" = $((2 * $1)) ]
}

# The two groups of ranks change places, and are moved the TIMES-th time by that.
swap_nodes() # TIMES
{
	local before
	say "--- the same two nodes, the other way round"
	touch "$work/reverse"
	before="$(host_of 0) $(host_of 2)"
	requeue
	await_move "$1"
	[ "$(host_of 2) $(host_of 0)" = "$before" ] ||
		fail "not swapped: $before, then $(host_of 0) $(host_of 2)"
}

await_move() # TIMES
{
	await "${PATIENCE:-90}" "restart $1" restarts_are "$1"
	await "${PATIENCE:-90}" "ranks that run again" all_run_again "$1"
	check_runs_on 0 1 2 3
	say "ranks run on $(for rank in 0 2; do
		awk '/^count/ { host = $4 } END { print host }' \
			"$work/rank.$rank"; done | paste -sd ' ')"
}

host_of() # RANK
{
	awk '/^count/ { host = $4 } END { print host }' "$work/rank.$1"
}

# sent_by RANK TALK: "SENT RECEIVED"
told()
{
	sed -n "s/^talk $2 of .*: sent \([0-9]*\) received \([0-9]*\)$/\1 \2/p" \
		"$work/rank.$1"
}

check_talks()
{
	local server sent received
	! grep -h WRONG "$work"/rank.? || fail "a rank has got other bytes"
	for server in 0 1; do
		for talk in 0 1 2 3; do
			read -r sent received <<<"$(told $server $talk)"
			[ "$(told $((server + 2)) $talk)" = "$received $sent" ] ||
				[ "$talk $(told $((server + 2)) $talk)" = "2 $received 0" ] ||
				fail "talk $talk of $server: $sent $received, and $(told $((server + 2)) $talk)"
			say "talk $talk of $server: sent $sent received $received"
		done
	done
}

# The program is to end: has each got all that was sent to it?
end_talks()
{
	touch "$work/stop"
	await_end COMPLETED 240
	grep -qx 'srun ended with 0' "$(output)" || fail "srun did not end well"
	check_talks
	check_one_program 0 1 2 3
}
