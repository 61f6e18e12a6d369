#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# lab_down.sh - a lab is ready within 30 s, and nothing of it is left, be its
# jobs running or frozen, its nodes crashed, or `up` killed in the middle
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD_DIR:-$top/build}
export LAB_NAME=${LAB_PREFIX:-t}labdown
lab()
{
	timeout 60 "$top/scripts/lab" "$@"
}

fail()
{
	echo "FAILED: $*" >&2
	exit 1
}

check_gone()
{
	[ ! -e "/var/tmp/spank_cr-$LAB_NAME" ] || fail "state is left"
	[ -z "$(find /sys/fs/cgroup -name "*$LAB_NAME-n*")" ] ||
		fail "cgroups are left"
	! grep -qs "spank_cr-$LAB_NAME/" /proc/[0-9]*/mountinfo ||
		fail "a process is left"
}

trap 'lab down' EXIT
SECONDS=0
lab up --nodes 3 --build "$build"
[ $SECONDS -lt 30 ] || fail "up took $SECONDS s"
[ "$(lab as labuser head srun -N3 hostname | sort | paste -sd,)" = \
	"$LAB_NAME-n1,$LAB_NAME-n2,$LAB_NAME-n3" ] || fail "srun -N3 hostname"
for node in n1 n2; do
	job=$(lab as labuser head sbatch --parsable -p low -w "$LAB_NAME-$node" \
		--output=/dev/null --wrap "sleep 1000")
done
sleep 4
lab exec head scontrol suspend "$job"
lab crash n3
sleep 3
grep -qs FROZEN /sys/fs/cgroup/freezer/slurm_"$LAB_NAME-n2"/uid_*/job_*/*/freezer.state ||
	[ -e /sys/fs/cgroup/cgroup.controllers ] || fail "no job is frozen"
lab down
check_gone
for pause in 0.05 0.2 0.4; do
	"$top/scripts/lab" up --build "$build" >/dev/null 2>&1 &
	sleep $pause
	kill -KILL $!
	wait $! 2>/dev/null || :
	lab down
	check_gone
done
