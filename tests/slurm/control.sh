#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# control.sh - signals, suspend and resume, listpids and sstat work as always,
# for a program that was started and for one that was restarted, and that is
# saved all the time; a script that gets a mere SIGTERM goes on
source "$(dirname "$0")/lib.sh"

signals_got()
{
	grep -c "got $1" "$(output)" || :
}

has_got() # SIGNAL TIMES
{
	[ "$(signals_got "$1")" = "$2" ]
}

# All of it; the program has been through @1 rounds before.
check_control() # ROUNDS
{
	local before said
	user scancel --batch --signal=USR1 "$job"
	await 20 "USR1 in the program" has_got USR1 $(($1 + 1))

	root scontrol suspend "$job"
	await 20 "suspended state" state_is SUSPENDED
	sleep 3
	before=$(counted)
	sleep 3
	[ "$(counted)" = "$before" ] || fail "it counts while suspended"
	root scontrol resume "$job"
	await_count $((before + 5))

	said=$(lab exec "$(field NodeList)" scontrol listpids "$job")
	awk -v job="$job" '$2 == job { n++ } END { exit !n }' <<<"$said" ||
		fail "listpids says: $said"
	said=$(root sstat --noheader --format=JobID,NTasks "$job.batch")
	[[ $said == *"$job.batch"* ]] || fail "sstat says: $said"
	say "round $1: all as it should be"
}

submit -p low --cr-interval=1 <<'EOF'
#!/bin/bash
trap 'echo "got USR1"' USR1
for ((i = 1; i <= 300; i++)); do
	echo "count $i $BASHPID $(hostname)"
	sleep 0.2
done
EOF
await_count 5
check_control 0
preempt
await 60 "restart" restarts_are 1
await_count $(($(counted) + 5))
check_control 1
user scancel "$job"
await_end CANCELLED 20
check_no_images

# A script's srun ends between SIGTERM and slurmctld's answer why it came.
# COMMAND is what slurmctld hears before it is asked.
end_srun_unanswered() # [COMMAND...]
{
	local node
	submit -p low -n1 <<-'EOF'
	#!/bin/bash
	trap : TERM
	srun bash -c 'echo begun; sleep 3'
	echo "ended: $?"
	sleep 1
	EOF
	await 30 "first line" grep -qs begun "$(output)"
	node=$(field NodeList)
	root pkill -STOP -x slurmctld
	[ $# = 0 ] || "$@" "$job" &
	sleep 0.5
	lab exec "$node" pkill -TERM -o -x cr-shepherd
	sleep 4
	root pkill -CONT -x slurmctld
	wait
}

check_goes_on() # SECONDS: it is over by then
{
	await_end COMPLETED "$1"
	grep -qx 'ended: 0' "$(output)" || fail "the script was left stopped"
	check_no_images
}

say "--- a mere SIGTERM while an srun is just ending"
end_srun_unanswered
check_goes_on 30

say "--- ... and that is a requeue's"
end_srun_unanswered root scontrol requeue
await 30 "restart" restarts_are 1
check_goes_on 60
