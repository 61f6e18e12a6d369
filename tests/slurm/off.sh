#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# off.sh - with --cr=off nothing is started: no agent, no namespace
source "$(dirname "$0")/lib.sh"

begun_twice()
{
	[ "$(grep -c '^pid:' "$(output)")" = 2 ]
}

submit -p low --cr=off <<EOF
#!/bin/bash
readlink /proc/self/ns/pid
exec $count -n 1000
EOF
await_count 5
node=$(field NodeList)
[ -z "$(agents "$node")" ] || fail "there is an agent"
[ "$(head -n 1 "$(output)")" = "$(lab exec "$node" readlink /proc/1/ns/pid)" ] ||
	fail "the job is in another PID namespace"
requeue
await 60 "restart" restarts_are 1
await 60 "a second start" begun_twice
check_no_images
