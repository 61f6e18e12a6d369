#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# full_disk.sh - the checkpoint directory is full: the job gets its SIGTERM,
# runs on until Slurm ends it, says why in its output, begins anew, and the node
# stays usable
source "$(dirname "$0")/lib.sh"

for node in n1 n2 n3; do
	lab exec $node mkdir -p /run/small
	lab exec $node mount -t tmpfs -o size=2m,mode=1777 none /run/small
done
submit -p low --cr-dir=/run/small <<EOF
#!/bin/bash
trap '' TERM
$count -n 250 -m 16
EOF
await_count 10
at=$(counted)
requeue
await 60 "restart" restarts_are 1
await_end COMPLETED 120
check_begun_anew
first=$(awk '$1 == "count" && !token { token = $3 }
	$3 == token { last = $2 } END { print last }' "$(output)")
[ "$first" -gt $((at + 25)) ] || fail "it did not run on: $at, then $first"
grep -qi 'no space' "$(output)" || fail "the output does not say why"
