#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# retry_early.sh - what a restart needs cannot be had for the moment, before the
# program is touched: the job is queued again and goes on where it was, not from
# an older checkpoint, nor from the beginning
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/nodes_lib.sh"

log_has() # WORDS: of this job
{
	cat "$shared/../nodes"/*/log/spank_cr.log | grep -F " $job." |
		grep -qF -- "$1"
}

# Its newest generation is $newest then.
submit_two_generations()
{
	submit_count "-n 70" -p low --cr-interval=3
	await 60 "two generations" has_generations 2
	requeue
	await 30 "a pending job" state_is PENDING
	newest=$(manifests | tail -n 1)
}

use_test_agent

say "--- the newest checkpoint cannot be opened"
fail_all image
submit_two_generations
await 60 "word of it" log_has \
	"image: No space left on device: the job is queued again (1 of 3)"
release_all image
await 90 "restart" restarts_are 2
await 60 "a program that goes on" log_has "restarted 1 rank trees"
log_has "restart from checkpoint $(generation_of "$newest")" ||
	fail "not from the newest"
await_end COMPLETED
check_output 70
check_no_images

say "--- there are no new namespaces for the one before it"
fail_all namespaces
submit_two_generations
printf '\377\376\375\374' | dd of="${newest%/*}/node_0.img" bs=1 conv=notrunc \
	status=none seek=$(($(stat -c %s "${newest%/*}/node_0.img") / 2))
await 60 "word of it" log_has \
	"namespaces: No space left on device: the job is queued again (1 of 3)"
release_all namespaces
await 90 "restart" restarts_are 2
await 60 "word of an older checkpoint" grep -qF "an older one was" "$(output)"
await_end COMPLETED
check_output 70
check_no_images

say "--- slurmctld does not say where the ranks of two nodes are now"
submit_talk 20000
hold_all layout
touch "$work/together"
requeue
await 90 "word of it" log_has "does not say within 8 s where the ranks are: the"
release_all layout
await 90 "restart" restarts_are 2
await 60 "ranks that run again" all_run_again 1
check_runs_on 0 1 2 3
[ "$(host_of 0)" = "$(host_of 2)" ] || fail "they are still apart"
end_talks
check_no_images

say "--- nobody says whether the job has run before"
rm -f "$work"/rank.?
# it reads what cannot be read again, so the script begins anew each time
user mkfifo "/shared/$test_name/input"
submit -p low <<EOF
#!/bin/bash
unset SLURM_RESTART_COUNT
srun -n1 --output=rank.%t $count -n 60 <>input
EOF
await 30 "output" has_counted 10 "$work/rank.0"
requeue
await 30 "a pending job" state_is PENDING
fail_all ask
await 60 "word of it" log_has \
	"whether the job has run before: the job is queued again (1 of 3)"
release_all ask
await 90 "restart" restarts_are 2
await_end COMPLETED
check_output 60 "$work/rank.0"
check_no_images
