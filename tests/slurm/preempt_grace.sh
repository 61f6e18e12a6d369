#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# preempt_grace.sh - the same in a partition with GraceTime
#
# Slurm tells a plain batch job nothing before the grace is over, which may
# last 12 s longer than configured.  The agent asks for it, also after a mere
# SIGTERM that has come while it was asking.
source "$(dirname "$0")/lib.sh"

submit_count "-n 300" -p lowgrace
await_count 10
preempt
await 90 "restart" restarts_are 1
await_end COMPLETED 120
check_output 300
check_moved
check_no_images

log_has() # WORDS: of this job
{
	cat "$shared/../nodes"/*/log/spank_cr.log | grep -F " $job." |
		grep -qF -- "$1"
}

say "--- a mere SIGTERM while slurmctld is just being asked"
sed -i 's|dir=|poll=2 dir=|' "$shared/../etc/plugstack.conf"
submit -p lowgrace <<EOF
#!/bin/bash
trap : TERM
$count -n 200 &
until wait \$!; [ \$? -le 128 ]; do :; done
EOF
await_count 10
node=$(field NodeList)
root pkill -STOP -x slurmctld
await 10 "question" lab exec "$node" pgrep -x cr-ask
lab exec "$node" pkill -TERM -o -x cr-shepherd
sleep 1
root pkill -CONT -x slurmctld
await 20 "answer" log_has "SIGTERM: a signal"
preempt
await 30 "word of that" log_has "the job is to be preempted"
await 90 "restart" restarts_are 1
await_end COMPLETED 120
check_output 200
check_moved
check_no_images
