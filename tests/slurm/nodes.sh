#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# nodes.sh - a step of two nodes is preempted, saved on both as one generation,
# and goes on on the two others; requeued there, it goes on too when the lead
# agent dies in the moment in which the generation is complete
NODES=4
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/nodes_lib.sh"

has_agent_of_node() # INDEX
{
	[ -n "$(node_of "$1")" ] && agent_of "$(node_of "$1")" >/dev/null
}

use_test_agent
submit_step 160

say "--- strangers neither disturb the lead nor fill its log"
mapfile -t place < <(python3 -c '
import json, sys
lead = json.load(open(sys.argv[1]))
print(lead["addresses"][0], lead["port"], sep="\n")' \
	"$shared/cr/job_$job/step_0/lead.json")
user /usr/bin/python3 -c '
import socket, sys
address, port = sys.argv[1:]
for i in range(100):
    with socket.create_connection((address, int(port)), 10) as stranger:
        stranger.sendall(b"\xff" * 8)
        try:
            assert not stranger.recv(1)
        except ConnectionResetError:
            pass
' "${place[@]}"
await_log "a frame of 4294967295 bytes"
[ "$(cat "$shared"/../nodes/*/log/spank_cr.log | grep -c 'a frame of')" -le 20 ] ||
	fail "one line for each of them"

preempt
await 60 "restart" restarts_are 1
check_runs_on 0 1 2 3
grep -q "frozen after" "$shared"/../nodes/*/log/spank_cr.log ||
	fail "the log tells no times"

say "--- the lead's agent is killed after it has committed"
lead=$(node_of 0)
user scancel "$blocker"
hold "$lead" committed
requeue
await_held "$lead" committed
lab exec head /run/spank_cr/bin/cr status --dir /shared/cr "$job.0" |
	tee "$work/status"
[ "$(grep -c ' digested ' "$work/status")" = 2 ] || fail "cr status: not digested"
lab exec head /run/spank_cr/bin/cr status --json --dir /shared/cr "$job" |
	grep -q '"phase": "digested"' || fail "cr status --json"
kill_agent "$lead"
await_log "the manifest will tell"
release "$lead" committed
await 60 "restart" restarts_are 2
await_end COMPLETED
for rank in 0 1 2 3; do
	check_output 160 "$work/rank.$rank"
	check_moved "$work/rank.$rank"
done
grep -qx 'srun ended with 0' "$(output)" || fail "srun did not end well"
check_no_images

say "--- a step that was never saved leaves no folder, though an agent has died"
submit -p low -N2 <<EOF
#!/bin/bash
srun --output=/dev/null sleep 6
EOF
await 30 "running step" has_agent_of_node 1
kill_agent "$(node_of 1)"
await_end COMPLETED 30
await 20 "removal of the folder" has_no_images
