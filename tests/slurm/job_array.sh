#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# job_array.sh - the elements of a job array are jobs of their own
source "$(dirname "$0")/lib.sh"

submit_count "-n 60" -p low --array=1-2 --output=%a.out
await 60 "output of element 1" has_counted 10 "$work/1.out"
await 60 "output of element 2" has_counted 10 "$work/2.out"
user scontrol requeue "${job}_1"
sleep 1
user scontrol requeue "${job}_2"
await 120 "end of element 1" has_counted 60 "$work/1.out"
await 120 "end of element 2" has_counted 60 "$work/2.out"
for element in 1 2; do
	check_output 60 "$work/$element.out"
	await 30 "end" state_is COMPLETED "${job}_$element"
	restarts_are 1 "${job}_$element" || fail "element $element did not restart"
done
check_no_images
