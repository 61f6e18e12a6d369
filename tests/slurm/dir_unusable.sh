#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dir_unusable.sh - the checkpoint directory cannot be used: jobs that run for
# the first time do without it and say so, one that has something to go on from
# is held, with what it has, and no node is drained
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/nodes_lib.sh"

submit_count "-n 60" -p low
await_count 10
requeue
await 30 "a pending job" state_is PENDING
saved=$job
mv "$shared/cr" "$shared/away"
touch "$shared/cr" # no folder

submit_step 10
await_end COMPLETED
for file in rank.0 "$job.out"; do
	grep -qF "no checkpoints: open checkpoint directory" "$work/$file" ||
		fail "nobody says why in $file"
done
grep -qx 'srun ended with 0' "$(output)" || fail "the step did not run"

job=$saved
is_held_by_us()
{
	[[ $(field Reason) == job_requeued_in_held_state ]]
}
await 60 "job that is held" is_held_by_us
[[ $(root scontrol show job "$job") == *"AdminComment=spank_cr: "* ]] ||
	fail "no comment"
grep -qF "the job is queued again and held" "$(output)" ||
	fail "the output does not say so"
rm "$shared/cr"
mv "$shared/away" "$shared/cr"
root scontrol release "$job"
await_end COMPLETED
check_output 60
check_no_images

say "--- one that the user has asked for"
submit_count "-n 10" -p low --cr-dir=/nowhere
await_end FAILED
grep -qF "checkpoint directory /nowhere" "$(output)" || fail "nobody says why"
