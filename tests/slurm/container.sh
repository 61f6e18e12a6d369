#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# container.sh - where Slurm gives jobs a /tmp of their own they keep it: they run
# without checkpoints, and say so
NODES=1
source "$(dirname "$0")/lib.sh"

compgen -G '/usr/lib/*/slurm*/job_container_tmpfs.so' >/dev/null ||
	skip "no job_container/tmpfs"

etc=$shared/../etc
cat >>"$etc/slurm.conf" <<-EOF
JobContainerType=job_container/tmpfs
PrologFlags=Contain
EOF
cat >"$etc/job_container.conf" <<-EOF
AutoBasePath=true
BasePath=/var/lib/slurm/jc
EOF
lab exec n1 pkill -x slurmd
root pkill -x slurmctld
sleep 3
lab exec n1 touch /tmp/of_the_node

# Since Linux 6.18 a mount namespace may have a lower number than an older one,
# if another CPU has made it; then the older one cannot hold it (mnt_ns_loop()),
# and Slurm holds the job.
is_over_or_held()
{
	state_is COMPLETED || [[ $(field Reason) == launch_failed* ]]
}

for try in {1..8}; do
	submit -p low --cr-interval=1 <<-EOF
	#!/bin/bash
	while [ ! -e ready ]; do sleep 0.1; done
	ls -A /tmp
	srun ls -A /tmp
	$count -n 10
	EOF
	sleep 2
	touch "$work/ready"
	await 40 "end of try $try" is_over_or_held
	! state_is COMPLETED || break
	grep -q "_create_ns: ns base mount failed" "$shared/../nodes"/*-n1/log/slurmd.log ||
		fail "Slurm could not start it"
	root scancel "$job"
	root scontrol update "nodename=$LAB_NAME-n1" state=resume || :
done
state_is COMPLETED || skip "this kernel does not let Slurm hold a namespace"
grep -q "no checkpoints: the job has a mount namespace" "$(output)" ||
	fail "nobody says so"
! grep -q of_the_node "$(output)" || fail "it sees the node's /tmp"
check_output 10
check_no_images
