#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ranks.sh - a step of several ranks, started with srun in a batch script; one of
# them may be over before its agent looks
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/nodes_lib.sh"

submit -p low --ntasks=2 --nodes=1 <<EOF
#!/bin/bash
srun --output=rank.%t $count -n 80
echo "srun ended with \$?"
EOF
await 60 "output of rank 0" has_counted 10 "$work/rank.0"
await 60 "output of rank 1" has_counted 10 "$work/rank.1"
preempt
await 60 "restart" restarts_are 1
await_end COMPLETED
for rank in 0 1; do
	check_output 80 "$work/rank.$rank"
	check_moved "$work/rank.$rank"
done
grep -qx 'srun ended with 0' "$(output)" || fail "srun did not end well"
check_no_images

use_test_agent
printf '0 /bin/true\n1 %s -n 60\n' "$count" >"$work/short.conf"
submit -p low --ntasks=2 --nodes=1 <<EOF
#!/bin/bash
echo begun
sleep 3
srun --output=short.%t --multi-prog short.conf
EOF
await 30 "running script" grep -q begun "$(output)"
sleep 1 # its agent is not to be held
node=$(field NodeList)
hold "$node" begun
await_held "$node" begun
sleep 0.5
release "$node" begun
await 60 "output of rank 1" has_counted 5 "$work/short.1"
requeue
await 60 "restart" restarts_are 1
await_end COMPLETED
check_output 60 "$work/short.1"
check_no_images
