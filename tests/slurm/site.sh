#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# site.sh - settings that other sites have: memory that is limited and counted by
# cgroups, steps bound to cores, tight limits, many groups, a large environment.
# A step that goes on on another core has what belongs to it and no more.
NODES=1
source "$(dirname "$0")/lib.sh"

[ "$(nproc)" -gt 1 ] || skip "one CPU"

configure()
{
	local etc=$shared/../etc gid
	sed -i -e "s|^TaskPlugin=.*|TaskPlugin=task/affinity,task/cgroup|" \
		-e "s|^SelectTypeParameters=.*|SelectTypeParameters=CR_CPU_Memory|" \
		-e "s|^JobAcctGatherType=.*|JobAcctGatherType=jobacct_gather/cgroup|" \
		"$etc/slurm.conf"
	echo "JobAcctGatherFrequency=task=1" >>"$etc/slurm.conf"
	for gid in {70001..70150}; do
		echo "site$gid:x:$gid:labuser"
	done >>"$shared/../machine-etc/group"
	lab exec n1 pkill -x slurmd
	root pkill -x slurmctld
	sleep 1
	await 30 "idle node" all_nodes_are idle
}

# What the kernel says of the program and of its child, one line each.
look() # FIELD of /proc/PID/status
{
	# shellcheck disable=SC2016
	lab exec n1 sh -c 'for pid in $(pgrep -x count); do
		sed -n "s/^$1:[ 	]*//p" /proc/$pid/status; done' sh "$1"
}

check_place() # CPU
{
	[ "$(look Cpus_allowed_list | sort | uniq -c)" = "      2 $1" ] ||
		fail "not on CPU $1: $(look Cpus_allowed_list)"
	[ "$(look Groups | awk 'NF >= 150' | wc -l)" = 2 ] ||
		fail "groups: $(look Groups)"
}

# Memory that both share is there once, and counted as the step's.
memory_is_counted()
{
	local kib
	kib=$(root sstat -n -P -j "$job.0" --format=MaxRSS | tr -dc 0-9)
	[ "${kib:-0}" -ge $((100 << 10)) ]
}

# What must be the same afterwards.
keep() # FILE
{
	local pid
	pid=$(lab exec n1 pgrep -o -x count)
	lab exec n1 cat "/proc/$pid/limits" "/proc/$pid/environ" >"$work/$1"
	look Umask >>"$work/$1"
	grep -q "^Max open files  *64 " "$work/$1" || fail "limit of files"
	[ "$(tr '\0' '\n' <"$work/$1" | sed -n 's/^BIG=//p' | wc -c)" = 131001 ] ||
		fail "environment"
	[ "$(look Umask | sort -u)" = 0077 ] || fail "umask: $(look Umask)"
}

runs_again()
{
	restarts_are 1 && state_is RUNNING
}

configure
first=$(user sbatch --parsable -p share -c 1 --mem=20 --cr=off \
	--output=/dev/null --wrap 'sleep 300')
await 20 "first job" state_is RUNNING "$first"
submit -p share -c 1 --mem=140 <<-EOF
#!/bin/bash
ulimit -n 64 -c 0 -l 8
umask 077
export BIG=\$(head -c 131000 /dev/zero | tr '\\0' x)
srun --cpu-bind=cores $count -n 70 -m 100 -f
EOF
await_count 5
check_place 1
keep before
await 20 "memory of the step" memory_is_counted
root scancel "$first"
requeue
await 60 "second run" runs_again
await_count $(($(counted) + 2))
check_place 0
keep after
cmp "$work/before" "$work/after" || fail "limits or environment"
await 20 "memory of the restarted step in its cgroup" memory_is_counted
await_end COMPLETED
check_output 70
check_no_images
