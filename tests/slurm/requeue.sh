#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# requeue.sh - scontrol requeue, three times over: the job goes on each time
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/nodes_lib.sh"

submit_count "-n 60" -p low
for i in 1 2 3; do
	await_count $((i * 12))
	requeue
	await 30 "restart $i" restarts_are "$i"
done
await_end COMPLETED
check_output 60
check_no_images

# While it is restarted: there is nothing new to save, and a program that would
# end at SIGTERM does not hear of it.
use_test_agent
submit -p low <<EOF
#!/bin/bash
trap 'exit 0' TERM
$count -n 60 &
wait
EOF
await_count 12
hold_all restored
requeue
await 60 "a restart held" are_held 1 restored
requeue
await 30 "a pending job" state_is PENDING
release_all restored
await 60 "restart" restarts_are 2
await_end COMPLETED
check_output 60
check_no_images
