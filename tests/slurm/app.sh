# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# app.sh - a program that nobody here wrote, preempted at a random moment
#
# A test sources this file and calls run_app with a job script on its standard
# input.  The script runs once undisturbed and once preempted, each in an empty
# folder of its own; what it prints and the files it leaves must be the same.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

submit_app() # NAME OPTION...
{
	user mkdir "/shared/$test_name/$1"
	job=$(user sbatch --parsable --chdir="/shared/$test_name/$1" \
		--output=stdout -p low "${@:2}" "/shared/$test_name/script")
	say "job $job submitted: $1"
}

# Between a quarter and three quarters of $1 milliseconds
random_moment()
{
	local moment=$(($1 / 4 + RANDOM * ($1 / 2) / 32768))
	printf '%d.%03d' $((moment / 1000)) $((moment % 1000))
}

show_what_happened()
{
	tail -n 20 "$work"/*/stdout "$shared/../nodes"/*/log/spank_cr.log || :
}

# Slurm's own remarks go to the same file as the program's output.
own_output() # NAME
{
	sed -i '/^slurmstepd-\|^spank_cr/d' "$work/$1/stdout"
}

run_app()
{
	local began duration moment
	cat >"$work/script"
	submit_app undisturbed --cr=off
	await 30 "start" state_is RUNNING
	began=$(date +%s%3N)
	await_end COMPLETED 300
	duration=$(($(date +%s%3N) - began))
	[ $duration -gt 4000 ] || fail "too short to be preempted: $duration ms"

	submit_app preempted
	await 30 "start" state_is RUNNING
	moment=$(random_moment $duration)
	say "it takes $duration ms, and is preempted after $moment s"
	sleep "$moment"
	preempt
	await 90 "restart" restarts_are 1
	await_end COMPLETED 300
	own_output undisturbed
	own_output preempted
	diff -r "$work/undisturbed" "$work/preempted" >"$work/diff" ||
		fail "the results differ: $(head -n 20 "$work/diff")"
	say "the same results: $(sha256sum <"$work/preempted/stdout" | head -c 16)"
	check_no_images
}
