#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# run_model.sh PROTOCOL-TABLE-PROGRAM - check tests/model/restart.pml with spin
#
# Each world must have no error; each mutant, one piece of failure handling
# removed, must have one, so that the model is known to be able to fail.
set -eu

table=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cp "$here/restart.pml" .
"$table" promela >protocol_table.pml

# check EXPECTED-ERRORS PAN-COMPILE PAN-RUN SPIN-DEFINES...; 0 errors or 1
check() {
	expected=$1
	compile=$2
	run=$3
	shift 3
	spin -a "$@" restart.pml >spin.out || {
		cat spin.out
		exit 1
	}
	# shellcheck disable=SC2086 # lists of options
	gcc -w -O1 -DCOLLAPSE -DMEMLIM=3000 $compile -o pan pan.c
	# shellcheck disable=SC2086
	./pan $run -m100000 >pan.out 2>&1 || true
	errors=$(sed -n 's/.*errors: \([0-9]*\)$/\1/p' pan.out)
	states=$(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' pan.out)
	if grep -q 'Search not completed' pan.out && [ "$errors" = 0 ]; then
		errors=unfinished
	fi
	if [ "$errors" != "$expected" ]; then
		cat pan.out
		echo "run_model: $*: $errors errors, expected $expected"
		exit 1
	fi
	echo "ok: $*: $errors errors, $states states"
}

check 0 -DSAFETY "" -DN=4 -DMAX_DEATHS=1
check 0 -DSAFETY "" -DN=3 -DMAX_DEATHS=2
check 0 -DNFAIR=3 "-a -f" -DN=3 -DMAX_DEATHS=1 -DFAIRLY
check 0 -DSAFETY "" -DN=3 -DMAX_DEATHS=1 -DKILLS
check 0 -DSAFETY "" -DN=3 -DMAX_DEATHS=1 -DINTRUDER

for mutant in DEAF_TO_DEATH_OF_TASKS DEAF_TO_DEATH_OF_COORDINATOR \
	DEAF_AT_GATE FORGETS_THE_ZOMBIE KEEPS_LAST_ERROR; do
	check 1 -DSAFETY "" -DN=3 -DMUTANT_$mutant
done
