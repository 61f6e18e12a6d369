#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# nodes_tcp_outside.sh - a rank of a step of two nodes is connected to a server
# that is not in the step: no checkpoint, and the connection is named; with
# --cr-tcp=close it is saved, goes on, and finds the connection reset
NODES=2
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/nodes_lib.sh"

cp "$top/tests/slurm/outside.py" "$work/"
cat >"$work/server.py" <<'EOF'
import os, socket, time
listener = socket.create_server(("", 0))
with open("port.tmp", "w") as file:
    file.write(str(listener.getsockname()[1]))
os.rename("port.tmp", "port")
ends = []
while not os.path.exists("server_stop"):
    listener.settimeout(0.2)
    try:
        ends.append(listener.accept())
    except TimeoutError:
        pass
EOF
user sh -c "cd /shared/$test_name && exec python3 server.py" &
await 30 "server's port" test -e "$work/port"

submit_outside() # OPTION...
{
	rm -f "$work"/rank.? "$work/stop"
	submit -p low -N2 --ntasks-per-node=1 "$@" <<-EOF
	#!/bin/bash
	srun --output=rank.%t \
		python3 outside.py $LAB_NAME-head $(cat "$work/port")
	echo "srun ended with \$?"
	EOF
	for rank in 0 1; do
		await 60 "output of rank $rank" has_counted 5 "$work/rank.$rank"
	done
}

submit_outside
requeue
await_text "whose other end is not in the step"
grep -hs "whose other end" "$work"/rank.? "$(output)" | head -n 1 >"$work/why"
grep -q "node 0: vpid [0-9]* fd [0-9]*: TCP connection .*:$(cat "$work/port"
	), .*--cr-tcp=close" "$work/why" || fail "not named: $(cat "$work/why")"
has_log "all of 2 nodes ends after" || fail "refused before ends were known"
! has_log "nodes saved after" || fail "images were written for nothing"
await 90 "restart" restarts_are 1
await 60 "a new program" has_text "count 1 "
root scancel "$job"
await_end CANCELLED

submit_outside --cr-tcp=close
requeue
await 90 "restart" restarts_are 1
check_runs_on 0 1
grep -qx reset "$work/rank.0" || fail "rank 0 did not find a reset"
touch "$work/stop"
await_end COMPLETED
grep -qx 'srun ended with 0' "$(output)" || fail "srun did not end well"
check_one_program 0 1
touch "$work/server_stop"
wait
