#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ranks.sh - a step of several ranks, started with srun in a batch script
source "$(dirname "$0")/lib.sh"

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
