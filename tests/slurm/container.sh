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

submit -p low --cr-interval=1 <<EOF
#!/bin/bash
while [ ! -e ready ]; do sleep 0.1; done
ls -A /tmp
srun ls -A /tmp
$count -n 10
EOF
sleep 2
touch "$work/ready"
await_end COMPLETED 40
grep -q "no checkpoints: the job has a mount namespace" "$(output)" ||
	fail "nobody says so"
! grep -q of_the_node "$(output)" || fail "it sees the node's /tmp"
check_output 10
check_no_images
