#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# nodes_tcp6.sh - as nodes_tcp.sh, but by IPv6: ranks of two nodes talk, are moved
# to two other nodes with other addresses, and swap these
NODES=4
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/nodes_lib.sh"

for i in 1 2 3 4; do
	lab exec n$i ip addr add fd64::1$i/64 dev eth0 nodad
	echo "fd64::1$i $LAB_NAME-n$i" >>"$shared/../machine-etc/hosts"
done
submit_talk 6
connections=$(lab exec "$(node_of 1)" cat /proc/net/tcp6 |
	awk '$3 ~ /^000064FD/ && $4 == "01"' | wc -l)
[ "$connections" -ge 4 ] || fail "$connections connections by IPv6"
first=$(host_of 0)
preempt
await_move 1
[ "$(host_of 0)" != "$first" ] || fail "still on $first"

swap_nodes 2
end_talks
check_no_images
