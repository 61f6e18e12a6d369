#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# retry.sh - a restart fails for a reason that may pass: the job is queued again
# by itself and goes on, and loses nothing; but not for ever
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/nodes_lib.sh"

says_why()
{
	grep -qF "the restart has failed (restored: No space left on device)" \
		"$(output)"
}

use_test_agent
sed -i 's|dir=|retries=1 dir=|' "$shared/../etc/plugstack.conf"

submit_count "-n 50" -p low
await_count 10
fail_all restored
requeue
await 60 "word of a restart that has failed" says_why
release_all restored
await 60 "restart" restarts_are 2
await_count 25
[ ! -e "$shared/cr/job_$job/step_batch/retries" ] || fail "it is still counted"

say "--- it does not pass"
fail_all restored
requeue
await 90 "restarts, one of them by itself" restarts_are 4
await 30 "word" grep -q "no checkpoint can be restarted (restored: No space" \
	"$(output)"
release_all restored
await_end COMPLETED
check_begun_anew
check_no_images

say "--- a step of two nodes, one of which is cut off"
# its srun reads what cannot be read again, so the script begins anew each time
user mkfifo "/shared/$test_name/input"
input=input submit_step 600
hold_all gate
requeue
await 60 "two nodes held at the gate" are_held 2 gate
member=$(node_of 1)
kill_agent "$member"
release_all gate
await_text "the restart has failed (node 1 ($member): its agent does not come"
await 90 "restart" restarts_are 2
check_runs_on 0 1 2 3
check_one_program 0 1 2 3

say "--- one of its nodes is silent before srun begins"
touch "$work/wait"
requeue
await 60 "restart" restarts_are 3
await 60 "job that runs" state_is RUNNING
member=$(node_of 1)
lab cut "$member"
rm "$work/wait"
await_text "the restart has failed (node 1 ($member): its agent had not come"
lab join "$member"
await 90 "restart" restarts_are 4
check_runs_on 0 1 2 3
check_one_program 0 1 2 3
! grep "srun ended" "$(output)" || fail "the script has seen its srun fail"
user scancel "$job"
await_end CANCELLED 20
