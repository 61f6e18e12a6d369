#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# scancel.sh - a cancelled job is not saved, ends soon, and leaves no file
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/nodes_lib.sh"

submit_count "-n 1000" -p low --cr-interval=2
await_count 5
await 30 "periodic checkpoint" has_generations 1
user scancel "$job"
await_end CANCELLED 15
await 15 "idle node" queue_is_empty
check_no_images
# and before there was any image
submit_count "-n 1000" -p low
await_count 5
user scancel "$job"
await_end CANCELLED 15
check_no_images

# nobody tells the agent of a job that Slurm is ending already
use_test_agent
submit_count "-n 1000" -p low
await_count 5
node=$(field NodeList)
hold "$node" write
requeue
await_held "$node" write
user scancel "$job"
release "$node" write
await_end CANCELLED 15
await 15 "removal of what was saved" has_no_images

# while it is restarted, with nothing of it running yet
hold_all restored
submit_count "-n 1000" -p low
await_count 5
requeue
await 60 "a restart held" are_held 1 restored
user scancel "$job"
await_end CANCELLED 15
await 15 "removal of what it was restarted from" has_no_images
release_all restored
await 15 "idle node" queue_is_empty
has_no_program || fail "something of job $job runs"

# ... of two nodes
hold_all gate
submit_step 1000
requeue
await 60 "two nodes held at the gate" are_held 2 gate
user scancel "$job"
await_end CANCELLED 15
await 15 "removal of what it was restarted from" has_no_images
release_all gate
await 15 "idle nodes" queue_is_empty
has_no_program || fail "something of job $job runs"
