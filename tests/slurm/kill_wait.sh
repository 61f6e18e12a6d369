#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kill_wait.sh - a step is not saved within KillWait: the log and the job's
# comment say so, nothing of it is left, and it goes on from an older image
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/nodes_lib.sh"

use_test_agent
sed -i '$ a KillWait=4' "$shared/../etc/slurm.conf"
sed -i '/^KillWait/d' "$shared/../etc/slurm.conf.d/preemption.conf"
root scontrol reconfigure

has_comment()
{
	[[ $(root scontrol show job "$job") == \
		*"AdminComment=spank_cr: step $job.batch: checkpoint failed: killed before it was complete (KillWait is 4 s)"* ]]
}

submit_count "-n 80" -p low --cr-interval=2
await 30 "generation" has_generations 1
node=$(field NodeList)
hold "$node" write
await_held "$node" write # a periodic one, for which the final one waits
requeue
await 20 "comment" has_comment
release "$node" write
await 60 "restart" restarts_are 1
await_end COMPLETED
check_output 80
check_no_images
has_no_program || fail "something of job $job runs"
