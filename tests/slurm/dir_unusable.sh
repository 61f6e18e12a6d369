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
await 20 "output that says so" \
	grep -qF "the job is queued again and held" "$(output)"
rm "$shared/cr"
mv "$shared/away" "$shared/cr"
root scontrol release "$job"
await_end COMPLETED
check_output 60
check_no_images

say "--- a file system that does not answer"
# what nobody serves: each call waits
cat >"$work/hang.py" <<'EOF'
import ctypes, os, signal
os.makedirs("/run/hung", exist_ok=True)
fd = os.open("/dev/fuse", os.O_RDWR)
os.set_inheritable(fd, True)
if ctypes.CDLL(None, use_errno=True).mount(b"hung", b"/run/hung", b"fuse", 0,
        b"fd=%d,rootmode=40000,user_id=0,group_id=0" % fd):
    raise OSError(ctypes.get_errno(), "mount")
open("/run/mounted", "w").close()
signal.pause()
EOF
lab exec n1 python3 "/shared/$test_name/hang.py" >"$work/hang.log" 2>&1 &
if lab exec n1 timeout 5 sh -c 'until [ -e /run/mounted ]; do sleep 0.1; done'; then
	sed -i 's|dir=/shared/cr|dir=/run/hung|' "$shared/../etc/plugstack.conf"
	submit_count "-n 10" -p low -w "$LAB_NAME-n1"
	await_end COMPLETED
	grep -qF "directory /run/hung does not answer" "$(output)" ||
		fail "nobody says why"
	check_output 10
	lab exec n1 umount --lazy /run/hung
	lab exec n1 pkill -f hang.py
else
	say "no FUSE here: $(tail -n 1 "$work/hang.log")"
fi

say "--- one that the user has asked for"
submit_count "-n 10" -p low --cr-dir=/nowhere
await_end FAILED
grep -qF "checkpoint directory /nowhere" "$(output)" || fail "nobody says why"
