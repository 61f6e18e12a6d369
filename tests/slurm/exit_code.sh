#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# exit_code.sh - Slurm learns a restarted program's exit code or signal; after a
# signal, which may have come from the machine, images stay for another try
source "$(dirname "$0")/lib.sh"

check_code() # COUNT-OPTIONS EXPECTED
{
	submit -p low <<-EOF
	#!/bin/bash
	exec $count -n 30 $1
	EOF
	await_count 10
	requeue
	await 30 "restart" restarts_are 1
	await_end FAILED
	[ "$(field ExitCode)" = "$2" ] ||
		fail "ExitCode is $(field ExitCode) and not $2"
	check_output 30
}

check_code "-x 7" 7:0
check_no_images
check_code "-k 10" 0:10
has_generations 1 || fail "the images are gone"
