#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# off.sh - with --cr=off nothing is started: no agent, no namespace
source "$(dirname "$0")/lib.sh"

begun_twice()
{
	[ "$(grep -c '^pid:' "$(output)")" = 2 ]
}

# A step that was over at once may still have one: its lead waits for the others.
all_agents()
{
	for node in n1 n2 n3; do
		agents $node | sed "s/^/$LAB_NAME-$node /"
	done
}

all_agents >"$work/before"
submit -p low --cr=off <<EOF
#!/bin/bash
readlink /proc/self/ns/pid
exec $count -n 1000
EOF
await_count 5
node=$(field NodeList)
all_agents | grep -vxFf "$work/before" && fail "there is an agent"
[ "$(head -n 1 "$(output)")" = "$(lab exec "$node" readlink /proc/1/ns/pid)" ] ||
	fail "the job is in another PID namespace"
requeue
await 60 "restart" restarts_are 1
await 60 "a second start" begun_twice
check_no_images
