#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# nodes_tcp.sh - ranks of two nodes talk by TCP, with full queues, half closed,
# closed and not yet accepted connections; they go on on two other nodes, on the
# same two the other way round, and on other ones again, and no byte is lost
NODES=4
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/nodes_lib.sh"

submit_talk() # OPTION...
{
	submit -p low -N2 --ntasks-per-node=2 "$@" <<-EOF
	#!/bin/bash
	hosts=\$(scontrol show hostnames)
	[ ! -e reverse ] || hosts=\$(tac <<<"\$hosts")
	for host in \$hosts; do echo \$host; echo \$host; done >hosts
	export SLURM_HOSTFILE=hosts
	srun --distribution=arbitrary --output=rank.%t \
		$programs/talk . stop
	echo "srun ended with \$?"
	EOF
	for rank in 0 1 2 3; do
		await 60 "output of rank $rank" has_counted 5 "$work/rank.$rank"
	done
}

all_run_again() # TIMES: the agents' logs of both nodes say so
{
	[ "$(cat "$shared/../nodes"/*/log/spank_cr.log |
		grep -c "$job.0: restarted 2 rank trees")" = $((2 * $1)) ]
}

await_move() # TIMES
{
	await 90 "restart $1" restarts_are "$1"
	await 90 "ranks that run again" all_run_again "$1"
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

submit_talk
first=$(host_of 0)
preempt
await_move 1

say "--- the same two nodes, the other way round"
touch "$work/reverse"
before="$(host_of 0) $(host_of 2)"
requeue
await_move 2
[ "$(host_of 2) $(host_of 0)" = "$before" ] ||
	fail "not swapped: $before, then $(host_of 0) $(host_of 2)"

say "--- to the first ones"
user scancel "$blocker"
preempt
await_move 3
[ "$(host_of 0)" != "$first" ] || [ "$(host_of 2)" != "$first" ] ||
	fail "both groups are on $first"
touch "$work/stop"
await_end COMPLETED
grep -qx 'srun ended with 0' "$(output)" || fail "srun did not end well"
check_talks
for rank in 0 1 2 3; do
	check_one_program $rank
	check_moved "$work/rank.$rank"
done
check_no_images
