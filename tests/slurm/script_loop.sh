#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# script_loop.sh - a script of short steps is requeued at whatever moment, also
# while an srun starts, or between two: no step runs twice, and none fails
source "$(dirname "$0")/lib.sh"

steps=${LOOP_STEPS:-12}

has_begun()
{
	grep -qs once "$(output)"
}

check_loop()
{
	local i
	await_end COMPLETED
	for ((i = 0; i < steps; i++)); do
		[ "$(grep -c "^$i: 0" "$(output)")" = 1 ] ||
			fail "not once: step $i"
	done
	[ "$(grep -cx once "$(output)")" = "$steps" ] || fail "a step ran twice"
	check_no_images
}

for ((round = 0; round < ${LOOP_ROUNDS:-2}; round++)); do
	jobs=()
	for ((n = 0; n < 4; n++)); do
		submit -p share -n1 <<-EOT
		#!/bin/bash
		for ((i = 0; i < $steps; i++)); do
			srun bash -c 'sleep ${LOOP_SLEEP:-0.4}; echo once'
			echo "\$i: \$?"
		done
		EOT
		jobs+=("$job")
	done
	for job in "${jobs[@]}"; do
		await 30 "first line" has_begun
		sleep "0.$((RANDOM % 10))"
		requeue
	done
	for job in "${jobs[@]}"; do
		await 60 "restart" restarts_are 1
		check_loop
	done
	say "round $round: well"
done
