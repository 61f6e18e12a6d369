#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# nodes_lossy.sh - nodes whose network loses 5 % of all packets between any two of
# them, is 50 ms slow, reorders and doubles: a step is saved while it runs, moved
# twice, and no byte that its ranks send each other by TCP is lost
NODES=4
PATIENCE=180
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/nodes_lib.sh"

cp "$top/tests/support/lossy_link.py" "$work/"

# Half of it at each node: every packet goes through two.  Segments are not put
# together, so that they are lost alone.
spoil() # NODE
{
	lab exec "$1" ip link set eth0 gso_max_segs 1
	lab exec head sh -ec "ip link add l$1 type veth peer name b$1
		ip link set v$1 nomaster arp off addrgenmode none
		ip link set l$1 up arp off addrgenmode none
		ip link set b$1 up master br0 gso_max_segs 1"
	lab exec head python3 "/shared/$test_name/lossy_link.py" "v$1" "l$1" \
		--loss 2.5 --delay 25 --jitter 15 --duplicate 0.5 \
		--seed "${1#n}" >"$work/link.$1" 2>&1 &
}

# How many frames have had this happen to them, of all nodes?
frames() # WHAT
{
	tail -qn 1 "$work"/link.n* |
		awk -v what="$1" '{
			for (i = 1; i < NF; i += 2)
				if ($i == what)
					sum += $(i + 1)
		} END { print sum + 0 }'
}

# That the user was told of.
failures()
{
	cat "$work"/rank.? "$(output)" | grep -c "checkpoint failed" || :
}

# Slurm gives up after 2 s what has lost two packets, and tries again much later.
printf 'TCPTimeout=20\nMessageTimeout=60\n' >>"$shared/../etc/slurm.conf"
root scontrol reconfigure
for node in n1 n2 n3 n4; do
	spoil $node
done
submit_talk "" --cr-interval=2
await 60 "two generations" has_generations 2
check_runs_on 0 1 2 3
before=$(failures) # one that came while connections were being made
first=$(host_of 0)
preempt
await_move 1
[ "$(host_of 0)" != "$first" ] || fail "still on $first"
await_new_generation
requeue
await_move 2
await_new_generation
[ "$(failures)" = "$before" ] || fail "a checkpoint has failed"
! has_text "an older one was" || fail "a restart has failed"
end_talks
check_no_images
for what in frames lost doubled overtaken; do
	say "$(frames $what) $what"
	[ "$(frames $what)" -gt 100 ] || fail "nothing was $what"
done
